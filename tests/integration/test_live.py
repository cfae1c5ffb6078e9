"""GET /live: what is on the broker, to every page that is open, at the cost of nothing else."""

import json
import os
import signal
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.builders import published, reading
from tests.identities import give
from tests.integration.live_events import Viewer, readings
from tests.integration.posting import client, problem, send
from tests.service import wait_for
from tests.stack import CONNECT, Broker, Collector
from tests.unit.live.test_newest import HOSTILE

TS = "2026-01-31T12:00:00Z"
TS_MS = 1_769_860_800_000


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
        argv = ["mosquitto_pub", "-p", str(self.broker.port), "-q", "1", "-t", topic, "-s"]
        subprocess.run([*argv, *options], input=payload, check=True)

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


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """A collector that no test stops."""
    live = Live(tmp_path_factory.mktemp("live"))
    with live.broker, live.collector:
        yield live


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Live]:
    """One whose parts a test may stop and start."""
    live = Live(tmp_path)
    with live.broker, live.collector:
        yield live


def test_what_is_retained_is_there_at_once_and_the_rest_follows(live: Live) -> None:
    live.publish("readings/old/temp", json_of("old", 20), "-r")
    with live.viewer() as viewer:
        assert viewer.status == 200
        assert viewer.fields["content-type"] == "text/event-stream"
        assert viewer.fields["cache-control"] == "no-store"
        first = viewer.until(lambda event: event.name == "readings")
        assert first.data["all"] is True
        assert readings(first)["old/temp"] == (TS_MS, 20)
        live.publish("readings/old/temp", json_of("old", 21.5))
        event = viewer.until(lambda event: "old/temp" in readings(event))
        assert event.data["all"] is False
        assert (event.data["arrived"], event.data["shown"]) == (1, 1)
        assert readings(event)["old/temp"] == (TS_MS, 21.5)


def test_what_two_collectors_accept_is_shown_by_each(live: Live, tmp_path: Path) -> None:
    with live.another(tmp_path) as second, live.viewer() as viewer, client(second) as http:
        assert send(http, reading("by the second", value=3)).status_code == 201
        assert viewer.reading("by the second/temp")[1] == 3
        names = {live.collector.outbox, second.outbox}
        found = viewer.pipeline(lambda data: len(data["services"]) >= len(names))
        assert {row["state"] for row in found["services"]} == {"up"}
        assert all(row["counters"]["unbalanced"] == 0 for row in found["services"])
        assert found["grafana"] == {"port": 3000, "tls": False}
        assert found["broker"] == {"up": True, "reason": None}


def test_hostile_messages_reach_no_viewer(live: Live) -> None:
    with live.viewer() as viewer:
        viewer.pipeline()
        for number, payload in enumerate(HOSTILE[1:]):  # the first is empty
            live.publish(f"readings/hostile/{number}", payload)
            live.publish(f"status/hostile/{number}", payload)
        live.publish("readings/good/temp", json_of("good", 1))
        seen: set[str] = set()
        while "good/temp" not in seen:
            seen |= readings(viewer.next()).keys()
        assert not any(series.startswith("hostile") for series in seen)
        services = viewer.pipeline()["services"]
        assert all(row["service"] != "hostile" for row in services)


def test_the_broker_goes_and_comes_back(own: Live) -> None:
    with own.viewer() as viewer:
        assert viewer.pipeline()["broker"]["up"]
        own.broker.kill()
        down = viewer.pipeline(lambda data: not data["broker"]["up"])
        assert down["broker"]["reason"]
        own.broker.start()
        own.broker.wait_ready()
        viewer.pipeline(lambda data: data["broker"]["up"])
        own.publish("readings/back/temp", json_of("back", 1))
        assert viewer.reading("back/temp") == (TS_MS, 1)


def test_without_a_viewer_there_is_no_connection_for_it(own: Live) -> None:
    wait_for(lambda: own.connections() == 2)  # the lane's, and the devices'
    with own.viewer() as viewer:
        viewer.pipeline(lambda data: data["broker"]["up"])
        assert own.connections() == 3
    wait_for(lambda: own.connections() == 2, what="the connection's end")
    vanished = own.viewer()
    vanished.pipeline(lambda data: data["broker"]["up"])
    vanished.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    vanished.close()  # with a reset
    wait_for(lambda: own.connections() == 2, what="the connection's end after a reset")
    assert "Traceback" not in own.collector.log_text()


def memory(pid: int) -> int:
    """Return the resident memory of a process in bytes."""
    pages = Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def test_viewers_that_do_not_read_delay_nobody_and_take_little_memory(own: Live) -> None:
    names = [f"{number:060}" for number in range(2_000)]
    last = f"{names[-1]}/temp"
    with ExitStack() as stack:
        viewer = stack.enter_context(own.viewer())
        stalled = [stack.enter_context(own.viewer(buffer_bytes=4096)) for _ in range(50)]
        viewer.pipeline(lambda data: data["broker"]["up"])
        before = memory(own.collector.pid)
        broker = stack.enter_context(socket.create_connection(("127.0.0.1", own.broker.port)))
        broker.sendall(CONNECT)
        for round_ in range(5):
            broker.sendall(b"".join(at_qos_0(name, round_) for name in names))
            viewer.until(lambda event: readings(event).get(last) == (TS_MS, round_))  # noqa: B023
        assert memory(own.collector.pid) - before < 40 << 20
        assert stalled[0].until(lambda event: "all" in event.data).data["all"]
        after_the_gap = stalled[0].until(lambda event: event.data.get("all"))
        assert after_the_gap.data["series"] == len(names)
        assert readings(after_the_gap)[last] == (TS_MS, 4)


def at_qos_0(sensor: str, value: float) -> bytes:
    """Return the PUBLISH of a reading."""
    topic = f"readings/{sensor}/temp".encode()
    body = len(topic).to_bytes(2, "big") + topic + json_of(sensor, value)
    return bytes((0x30, len(body) & 127 | 128, len(body) >> 7)) + body


def test_open_streams_do_not_delay_the_end(own: Live) -> None:
    with own.viewer() as viewer, own.viewer():
        viewer.pipeline()
        own.collector.process.send_signal(signal.SIGTERM)  # type: ignore[union-attr]
        started = time.monotonic()
        viewer.rest()
        assert own.collector.stop() == 0
        assert time.monotonic() - started < 2
    assert "Traceback" not in own.collector.log_text()


def test_head_and_http_1_0_and_other_methods(live: Live) -> None:
    with Viewer(live.collector.port, "HEAD") as viewer:
        assert (viewer.status, viewer.rest()) == (200, b"")
    with socket.create_connection(("127.0.0.1", live.collector.port), timeout=30) as old:
        old.sendall(b"GET /live HTTP/1.0\r\n\r\n")
        received = b""
        while b"event: pipeline" not in received:
            received += old.recv(65536)
        assert b"chunked" not in received
    with client(live.collector) as http:
        assert problem(http.post("/live"), 405)["detail"].endswith("send GET /live")


def test_a_foreign_page_reads_nothing(live: Live) -> None:
    port = live.collector.port
    for host in ("evil.example", f"localhost.evil.example:{port}"):
        with Viewer(port, Host=host) as viewer:
            assert viewer.status == 403
    for host in (f"127.0.0.1:{port}", f"[::1]:{port}", "LOCALHOST"):
        with Viewer(port, Host=host, Origin="https://evil.example") as viewer:
            assert viewer.status == 200
            assert "access-control-allow-origin" not in viewer.fields


def test_once_the_port_is_open_it_takes_a_reader(live: Live, tmp_path: Path) -> None:
    collector = live.another(tmp_path)
    give(tmp_path / "accounts", {"kitchen": ("secret", ["kitchen"])})
    give(tmp_path / "accounts", {"screen": ("reader", [])}, reader=True)
    collector.env["BIND_ADDRESS"] = "0.0.0.0"  # noqa: S104
    with collector, client(collector) as http:
        for path in ("/", "/page/index.html", "/live", "/history", "/history.csv"):
            problem(http.get(path), 401)
            problem(http.get(path, auth=("kitchen", "secret")), 403)
        assert http.get("/", auth=("screen", "reader")).status_code == 200
        with Viewer(collector.port, Authorization="Bearer reader", Host="any.name") as viewer:
            assert viewer.pipeline()["broker"]


def test_it_works_over_tls(live: Live, tmp_path: Path) -> None:
    collector = live.another(tmp_path)
    collector.env |= {"TLS": "127.0.0.1", "TLS_DIR": str(tmp_path / "tls")}
    with collector:
        context = ssl.create_default_context(cafile=tmp_path / "tls" / "ca.crt")

        def wrap(plain: socket.socket) -> ssl.SSLSocket:
            return context.wrap_socket(plain, server_hostname="127.0.0.1")

        with Viewer(collector.port, wrap=wrap) as viewer:
            live.publish("readings/tls/temp", json_of("tls", 5))
            assert viewer.reading("tls/temp") == (TS_MS, 5)
            assert viewer.pipeline()["grafana"] == {"port": 3000, "tls": True}


def test_the_page_and_its_files(live: Live) -> None:
    with client(live.collector) as http:
        page = http.get("/")
        assert page.headers["content-type"].startswith("text/html")
        policy = page.headers["content-security-policy"]
        assert "default-src 'none'; script-src 'self'" in policy
        assert "unsafe" not in policy
        file = http.get("/page/index.html")
        again = http.get("/page/index.html", headers={"If-None-Match": file.headers["etag"]})
        assert (file.status_code, again.status_code) == (200, 304)
        for path in ("/page/", "/page/x.js", "/page/..%2Fapp.py", "/page/%2e%2e/app.py"):
            problem(http.get(path), 404)
