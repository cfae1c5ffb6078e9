"""What the services wait for, how they end, and what they need at rest."""

import contextlib
import json
import os
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.posting import client, metrics, now_ns, reading, send
from tests.service import Service
from tests.stack import Stack, wait_for

SECONDS = 5.0


@pytest.fixture
def idle(tmp_path: Path) -> Iterator[Stack]:
    """Give a pipeline that does not run yet."""
    stack = Stack(tmp_path)
    yield stack
    stack.stop()


def says(service: Service, text: str) -> None:
    """Wait until `text` stands in the service's log."""
    wait_for(lambda: text in service.log_text(), 20, f"{text!r} from {service.name}")


def ended(*services: Service) -> float:
    """Send SIGTERM; return how many seconds the ends took, which must be orderly."""
    started = time.monotonic()
    for service in services:
        os.kill(service.pid, signal.SIGTERM)
    for service in services:
        assert service.stop(timeout=20) == 0
        assert "Traceback" not in service.log_text()
    return time.monotonic() - started


def test_each_waits_for_what_it_needs_and_says_so(idle: Stack) -> None:
    address = f"127.0.0.1:{idle.broker.port}"
    idle.collector.start()
    idle.bridge.start()
    for service in (idle.collector, idle.bridge):
        says(service, f"waiting for the MQTT broker at {address}: ")
    idle.start("broker")
    for service in (idle.collector, idle.bridge):
        says(service, f"connected to the MQTT broker at {address}")
    with client(idle.collector) as http:
        assert send(http, reading(1, now_ns())).status_code == 201
        says(idle.bridge, "waiting for InfluxDB: ")
        check = json.loads(idle.broker.retained("status/bridge/bridge"))
        assert check["state"] == "waiting"
        assert "InfluxDB" in check["reason"]
        idle.start("influx")
        says(idle.bridge, "InfluxDB stores")
        wait_for(lambda: metrics(http)["stored"] == 1)
    idle.bridge.wait_ready()


def test_sigterm_while_waiting_for_the_broker(idle: Stack) -> None:
    for service in (idle.collector, idle.bridge):
        service.start()
        says(service, "waiting for the MQTT broker")
        assert ended(service) < SECONDS


def test_sigterm_while_all_is_well_and_a_client_stays_connected(idle: Stack) -> None:
    idle.start()
    with socket.create_connection(("127.0.0.1", idle.collector.port)) as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 200")
        assert ended(idle.collector) < SECONDS
    assert ended(idle.bridge) < SECONDS
    for service, instance in (("bridge", "bridge"), ("collector", "+")):
        status = json.loads(idle.broker.retained(f"status/{service}/{instance}"))
        assert status == {"state": "offline"}


def test_sigint_ends_as_sigterm_does(idle: Stack) -> None:
    idle.start()
    for service in (idle.collector, idle.bridge):
        os.kill(service.pid, signal.SIGINT)
        wait_for(lambda: not service.running, SECONDS)  # noqa: B023
        assert service.stop() == 0


def test_sigterm_in_the_middle_of_requests_gives_each_a_definite_answer(idle: Stack) -> None:
    idle.start("broker", "collector")
    body = json.dumps(reading(1, 1)).encode()
    head = f"Host: x\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    with contextlib.ExitStack() as stack:
        late, silent, stored = (
            stack.enter_context(socket.create_connection(("127.0.0.1", idle.collector.port)))
            for _ in range(3)
        )
        late.sendall(b"POST /data HTTP/1.1\r\n" + head + body[:-1])
        silent.sendall(b"POST /data HTTP/1.1\r\n" + head + body[:-1])
        stored.sendall(b"POST /data?ack=stored HTTP/1.1\r\n" + head + body)
        with client(idle.collector) as http:
            wait_for(lambda: metrics(http)["accepted"] == 1)
        os.kill(idle.collector.pid, signal.SIGTERM)
        wait_for(lambda: not idle.collector.is_ready())
        late.sendall(body[-1:])
        assert late.recv(1000).startswith(b"HTTP/1.1 201 ")
        assert silent.recv(1000).startswith(b"HTTP/1.1 503 ")
        assert stored.recv(1000).startswith(b"HTTP/1.1 202 ")
        wait_for(lambda: not idle.collector.running)
        assert idle.collector.stop() == 0
        assert "Traceback" not in idle.collector.log_text()
    with idle.collector, client(idle.collector) as http:
        assert metrics(http)["accepted"] == 2


@pytest.mark.parametrize("how", ["stop", "pause"])
def test_sigterm_with_readings_in_hand_that_influxdb_does_not_take(idle: Stack, how: str) -> None:
    idle.start()
    with client(idle.collector) as http:
        getattr(idle.influx, how)()
        assert send(http, [reading("hand", i) for i in range(100)]).status_code == 201
        wait_for(lambda: metrics(http)["published"] == 100)
        assert send(http, reading("hand", 100)).status_code == 201
        assert ended(idle.bridge) < SECONDS
        if how == "pause":
            idle.influx.resume()
        else:
            idle.start("influx")
        idle.start("bridge")
        wait_for(lambda: metrics(http)["stored"] == 101, 20)


def test_sigterm_while_the_broker_does_not_answer(idle: Stack) -> None:
    idle.start()
    idle.broker.pause()
    try:
        assert ended(idle.collector, idle.bridge) < SECONDS
    finally:
        idle.broker.resume()


def test_each_rests_below_80_mb(idle: Stack) -> None:
    idle.start()
    with client(idle.collector) as http:
        for i in range(100):
            assert send(http, reading("rest", i), path="/data?ack=stored").status_code == 201
        assert http.get("/openapi.json").status_code == 200
    for service in (idle.collector, idle.bridge):
        assert resident_mb(service) < 80, service.name


def resident_mb(service: Service) -> float:
    """Return the memory that a process has resident, in MB."""
    status = Path(f"/proc/{service.pid}/status").read_text(encoding="ascii")
    (kb,) = [line.split()[1] for line in status.splitlines() if line.startswith("VmRSS:")]
    return int(kb) * 1024 / 1e6
