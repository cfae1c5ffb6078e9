"""The parts of the pipeline as real processes, alone or together, each on its own port."""

import base64
import contextlib
import json
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Self

from run.configuration import ROOT, write_broker_configuration, write_influx_configuration
from tests.connect import answers_connect
from tests.service import Service, free_port, wait_for

__all__ = [
    "Bridge",
    "Broker",
    "Collector",
    "Influx",
    "Service",
    "Stack",
    "free_port",
    "wait_for",
]


class Broker(Service):
    """Mosquitto with the configuration of this repository and the lines of `settings`."""

    def __init__(self, directory: Path, *, port: int | None = None, settings: str = "") -> None:
        self.port = port or free_port()
        directory.mkdir(parents=True, exist_ok=True)
        path = write_broker_configuration(directory, self.port, settings)
        super().__init__("broker", directory, ["mosquitto", "-c", str(path)])

    def is_ready(self) -> bool:
        return answers_connect(self.port)

    def retained(self, topic: str) -> bytes:
        """Return one retained message that matches `topic`; empty if there is none."""
        argv = ["mosquitto_sub", "-p", str(self.port), "-t", topic, "--retained-only", "-N"]
        one = ["-C", "1", "-W", "1"]
        return subprocess.run([*argv, *one], capture_output=True, check=False).stdout

    def wipe(self) -> None:
        """Delete sessions, queues and retained messages of a stopped broker."""
        assert not self.running, "a running broker would write its state again"
        for state in ("mosquitto.db", "mosquitto.sqlite3*"):
            for path in self.directory.glob(state):
                path.unlink()


class Influx(Service):
    """InfluxDB 1.x; with `auth`, its administrator is `username` with `password`."""

    username = "admin"
    password = "admin"

    def __init__(self, directory: Path, *, port: int | None = None, auth: bool = False) -> None:
        self.port = port or free_port()
        self.auth = auth
        directory.mkdir(parents=True, exist_ok=True)
        path = write_influx_configuration(directory, self.port, auth=auth)
        super().__init__("influx", directory, ["influxd", "-config", str(path)])

    def use_account(self, username: str, password: str) -> None:
        """Ask for passwords; this is the administrator's account."""
        self.auth, self.username, self.password = True, username, password
        write_influx_configuration(self.directory, self.port, auth=True)

    def is_ready(self) -> bool:
        """Whether /ping answers; with `auth`, also whether the administrator exists."""
        try:
            self._request("ping")
            if self.auth:
                self.query(
                    f"CREATE USER {self.username} WITH PASSWORD '{self.password}'"
                    " WITH ALL PRIVILEGES"
                )
        except OSError:
            return False
        return True

    def query(self, q: str, db: str = "iot", epoch: str = "ns") -> list[dict[str, Any]]:
        """Return the rows of all series, each as a dict of its tags and columns.

        Raises AssertionError with the error of InfluxDB, OSError if there is no response.
        """
        body = urllib.parse.urlencode({"q": q, "db": db, "epoch": epoch}).encode()
        response = json.loads(self._request("query", body))
        rows = []
        for result in response["results"]:
            assert "error" not in result, f"{q}: {result['error']}"
            rows += [
                {
                    **series.get("tags", {}),
                    **dict(zip(series["columns"], values, strict=True)),
                }
                for series in result.get("series", [])
                for values in series.get("values", [])
            ]
        return rows

    def write(self, lines: str | Iterable[str], db: str = "iot", policy: str = "") -> None:
        """Write line protocol with nanosecond timestamps."""
        body = (lines if isinstance(lines, str) else "\n".join(lines)).encode()
        self._request(f"write?{urllib.parse.urlencode({'db': db, 'rp': policy})}", body)

    def _request(self, path: str, body: bytes | None = None) -> bytes:
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}/{path}", body)
        if self.auth:
            account = base64.b64encode(f"{self.username}:{self.password}".encode()).decode()
            request.add_header("Authorization", f"Basic {account}")
        try:
            with urllib.request.urlopen(request, timeout=30) as response:
                return bytes(response.read())
        except urllib.error.HTTPError as error:
            with error:
                error.add_note(error.read().decode(errors="replace"))
            raise


class Collector(Service):
    """`python -m collector` with its outbox in `directory`."""

    def __init__(
        self,
        directory: Path,
        *,
        mqtt_port: int,
        influx_port: int,
        port: int | None = None,
        env: Mapping[str, str] | None = None,
    ) -> None:
        """Prepare a collector; `env` adds settings or replaces them."""
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.outbox = directory / "outbox.db"
        settings = {
            "COLLECTOR_PORT": str(self.port),
            "MQTT_PORT": str(mqtt_port),
            "INFLUX_PORT": str(influx_port),
            "OUTBOX_PATH": str(self.outbox),
            **(env or {}),
        }
        super().__init__("collector", directory, [sys.executable, "-m", "collector"], settings)

    def is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/healthz", timeout=5) as response:
                return bool(response.status == 200)
        except OSError:
            return False

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run `python -m collector <arguments>` with the settings of this collector, and wait."""
        return subprocess.run(
            [*self.argv, *arguments],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )


class Bridge(Service):
    """`python -m bridge`."""

    def __init__(
        self,
        directory: Path,
        *,
        mqtt_port: int,
        influx_port: int,
        env: Mapping[str, str] | None = None,
    ) -> None:
        """Prepare a bridge; `env` adds settings or replaces them."""
        self.metrics_port = free_port()
        settings = {
            "BRIDGE_METRICS_PORT": str(self.metrics_port),
            "MQTT_PORT": str(mqtt_port),
            "INFLUX_PORT": str(influx_port),
            **(env or {}),
        }
        super().__init__("bridge", directory, [sys.executable, "-m", "bridge"], settings)

    def is_ready(self) -> bool:
        check = subprocess.run(
            [sys.executable, "-m", "bridge", "--check"],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            check=False,
        )
        return check.returncode == 0


class Stack:
    """Broker, InfluxDB, collector and bridge, connected to each other."""

    def __init__(self, directory: Path, *, broker_settings: str = "") -> None:
        """Prepare all four under `directory` without starting them."""
        self.broker = Broker(directory / "broker", settings=broker_settings)
        self.influx = Influx(directory / "influx")
        mqtt, influx = self.broker.port, self.influx.port
        self.collector = Collector(directory / "collector", mqtt_port=mqtt, influx_port=influx)
        self.bridge = Bridge(directory / "bridge", mqtt_port=mqtt, influx_port=influx)

    def start(self, *names: str) -> None:
        """Start these parts, or all four, and wait until each is ready."""
        parts = [getattr(self, name) for name in names] or self._parts()
        for part in parts:
            part.start()
        for part in parts:
            part.wait_ready()

    def stop(self) -> None:
        """Stop all parts, each before those it connects to."""
        with contextlib.ExitStack() as stack:
            for part in self._parts():
                stack.callback(part.stop)

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _parts(self) -> list[Service]:
        return [self.broker, self.influx, self.collector, self.bridge]
