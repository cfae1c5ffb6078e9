"""A viewer of GET /live, and a collector with its broker to look at."""

import json
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, Self

from tests.builders import Json, published
from tests.integration import mosquitto_clients
from tests.integration.http_connection import head
from tests.service import PATIENCE
from tests.stack import Broker, Collector

TS = "2026-01-31T12:00:00Z"
TS_MS = 1_769_860_800_000


class Event(NamedTuple):
    name: str
    data: Json


class Viewer:
    """Reads the events of a collector one by one."""

    def __init__(
        self,
        port: int,
        method: str = "GET",
        *,
        wrap: Any = None,  # noqa: ANN401
        buffer_bytes: int = 0,
        **headers: str,
    ) -> None:
        plain = socket.socket()
        plain.settimeout(10 * PATIENCE)
        if buffer_bytes:
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer_bytes)
        plain.connect(("127.0.0.1", port))
        self.socket = wrap(plain) if wrap else plain
        self.socket.sendall(head(method, "/live", 0, **{"Host": "localhost", **headers}))
        self._lines = self.socket.makefile("rb")
        self.status = int(self._lines.readline().split()[1])
        self.fields = {}
        while line := self._lines.readline().decode().strip():
            name, _, text = line.partition(":")
            self.fields[name.lower()] = text.strip()

    def rest(self) -> bytes:
        """Return what comes until the end of the response."""
        return self._lines.read()

    def next(self) -> Event:
        """Return the next event; raises EOFError at the end."""
        name = ""
        while line := self._lines.readline():
            field, _, text = line.decode().rstrip("\n").partition(": ")
            if field == "event":
                name = text
            elif field == "data":
                return Event(name, json.loads(text))
        raise EOFError

    def until(self, condition: Callable[[Event], object]) -> Event:
        """Return the first event that meets a condition, among the next hundred."""
        for _ in range(100):
            if condition(event := self.next()):
                return event
        raise AssertionError(f"not among 100 events; the last is {event}")

    def reading(self, series: str) -> tuple[float, float]:
        """Return time (ms) and value of the next reading of a series."""
        event = self.until(lambda e: series in readings(e))
        return readings(event)[series]

    def pipeline(self, condition: Callable[[Json], object] = lambda _: True) -> Json:
        """Return the data of the next `pipeline` event that meets a condition."""
        return self.until(lambda e: e.name == "pipeline" and condition(e.data)).data

    def close(self) -> None:
        self._lines.close()
        self.socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def readings(event: Event) -> dict[str, tuple[float, float]]:
    """Return time and value by series of a `readings` event; nothing of any other."""
    rows = event.data.get("readings", [])
    return {f"{sensor}/{type_}": (ms, value) for sensor, type_, ms, value in rows}


class Live:
    """A broker and a collector on it, without a database."""

    def __init__(self, directory: Path) -> None:
        self.broker = Broker(directory / "broker")
        self.collector = self.another(directory / "collector")

    def another(self, directory: Path) -> Collector:
        env = {"GRAFANA_PORT": "3000"}
        return Collector(directory, mqtt_port=self.broker.port, influx_port=1, env=env)

    def viewer(self, **options: Any) -> Viewer:  # noqa: ANN401  Viewer's own
        return Viewer(self.collector.port, **options)

    def publish(self, topic: str, payload: bytes, *options: str) -> None:
        mosquitto_clients.publish(self.broker, topic, payload, *options)

    def connections(self) -> int:
        """Return how many connections the collector has to the broker."""
        rows = Path(f"/proc/{self.collector.pid}/net/tcp").read_text(encoding="ascii").splitlines()
        inodes = {
            row.split()[9]
            for row in rows[1:]
            if int(row.split()[2].partition(":")[2], 16) == self.broker.port
        }
        return len(inodes & {f"{n}" for n in _sockets(self.collector.pid)})


def _sockets(pid: int) -> set[str]:
    found = set()
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        try:
            target = str(entry.readlink())
        except OSError:
            continue
        if target.startswith("socket:["):
            found.add(target[8:-1])
    return found


def json_of(sensor: str, value: float) -> bytes:
    return json.dumps(published(sensor, value, TS)).encode()
