"""What the services wait for, how they stop, and their memory when idle."""

import contextlib
import json
import os
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.builders import reading
from tests.integration.posting import STORED, client, metrics, send
from tests.service import Service
from tests.stack import Stack, wait_for

LONGEST_S = 5.0


@pytest.fixture
def stopped(tmp_path: Path) -> Iterator[Stack]:
    """A pipeline that is not started yet."""
    stack = Stack(tmp_path)
    yield stack
    stack.stop()


def wait_logged(service: Service, text: str) -> None:
    wait_for(lambda: text in service.log_text(), 20, f"{text!r} from {service.name}")


def stop_s(*services: Service) -> float:
    """Send SIGTERM, check for a clean end, and return how many seconds it took."""
    started = time.monotonic()
    for service in services:
        os.kill(service.pid, signal.SIGTERM)
    for service in services:
        assert service.stop(timeout=20) == 0
        assert "Traceback" not in service.log_text()
    return time.monotonic() - started


def test_each_service_waits_for_what_it_needs_and_logs_that(stopped: Stack) -> None:
    address = f"127.0.0.1:{stopped.broker.port}"
    stopped.collector.start()
    stopped.bridge.start()
    for service in (stopped.collector, stopped.bridge):
        wait_logged(service, f"waiting for the MQTT broker at {address}: ")
    stopped.start("broker")
    for service in (stopped.collector, stopped.bridge):
        wait_logged(service, f"connected to the MQTT broker at {address}")
    with client(stopped.collector) as http:
        assert send(http, reading(1)).status_code == 201
        wait_logged(stopped.bridge, "waiting for InfluxDB: ")
        status = json.loads(stopped.broker.retained("status/bridge/bridge"))
        assert status["state"] == "waiting"
        assert "InfluxDB" in status["reason"]
        stopped.start("influx")
        wait_logged(stopped.bridge, "InfluxDB stores")
        wait_for(lambda: metrics(http)["stored"] == 1)
    stopped.bridge.wait_ready()


def test_a_bridge_with_the_name_of_its_host_leaves_no_status(stopped: Stack) -> None:
    """As that of the next container may be another; the control is in the test after next."""
    topic = f"status/bridge/{socket.gethostname()}"
    stopped.bridge.env["BRIDGE_ID"] = ""
    stopped.start("broker", "influx", "bridge")
    assert b"storing" in stopped.broker.retained(topic)
    assert stop_s(stopped.bridge) < LONGEST_S
    assert not stopped.broker.retained(topic)


def test_sigterm_while_waiting_for_the_broker(stopped: Stack) -> None:
    for service in (stopped.collector, stopped.bridge):
        service.start()
        wait_logged(service, "waiting for the MQTT broker")
        assert stop_s(service) < LONGEST_S


def test_sigterm_while_running_with_a_client_connected(stopped: Stack) -> None:
    stopped.start()
    with socket.create_connection(("127.0.0.1", stopped.collector.port)) as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 200")
        assert stop_s(stopped.collector) < LONGEST_S
    assert stop_s(stopped.bridge) < LONGEST_S
    for service, instance in (("bridge", "bridge"), ("collector", "+")):
        status = json.loads(stopped.broker.retained(f"status/{service}/{instance}"))
        assert status == {"state": "offline"}


def test_sigint_stops_as_sigterm_does(stopped: Stack) -> None:
    stopped.start()
    for service in (stopped.collector, stopped.bridge):
        os.kill(service.pid, signal.SIGINT)
        wait_for(lambda: not service.running, LONGEST_S)  # noqa: B023
        assert service.stop() == 0


def test_sigterm_during_requests_gives_each_a_definite_response(stopped: Stack) -> None:
    stopped.start("broker", "collector")
    body = json.dumps(reading(1, 1)).encode()
    head = f"Host: x\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    with contextlib.ExitStack() as stack:
        late, silent, stored = (
            stack.enter_context(socket.create_connection(("127.0.0.1", stopped.collector.port)))
            for _ in range(3)
        )
        late.sendall(b"POST /data HTTP/1.1\r\n" + head + body[:-1])
        silent.sendall(b"POST /data HTTP/1.1\r\n" + head + body[:-1])
        stored.sendall(b"POST /data?ack=stored HTTP/1.1\r\n" + head + body)
        with client(stopped.collector) as http:
            wait_for(lambda: metrics(http)["accepted"] == 1)
        os.kill(stopped.collector.pid, signal.SIGTERM)
        wait_for(lambda: not stopped.collector.is_ready())
        late.sendall(body[-1:])
        assert late.recv(1000).startswith(b"HTTP/1.1 201 ")
        assert silent.recv(1000).startswith(b"HTTP/1.1 503 ")
        assert stored.recv(1000).startswith(b"HTTP/1.1 202 ")
        wait_for(lambda: not stopped.collector.running)
        assert stopped.collector.stop() == 0
        assert "Traceback" not in stopped.collector.log_text()
    with stopped.collector, client(stopped.collector) as http:
        assert metrics(http)["accepted"] == 2


@pytest.mark.parametrize("how", ["stop", "pause"])
def test_sigterm_of_the_bridge_with_readings_that_influxdb_does_not_store(
    stopped: Stack, how: str
) -> None:
    stopped.start()
    with client(stopped.collector) as http:
        getattr(stopped.influx, how)()
        assert send(http, [reading("bridge", i) for i in range(100)]).status_code == 201
        wait_for(lambda: metrics(http)["published"] == 100)
        assert send(http, reading("bridge", 100)).status_code == 201
        assert stop_s(stopped.bridge) < LONGEST_S
        if how == "pause":
            stopped.influx.resume()
        else:
            stopped.start("influx")
        stopped.start("bridge")
        wait_for(lambda: metrics(http)["stored"] == 101, 20)


def test_sigterm_while_the_broker_does_not_answer(stopped: Stack) -> None:
    stopped.start()
    stopped.broker.pause()
    try:
        assert stop_s(stopped.collector, stopped.bridge) < LONGEST_S
    finally:
        stopped.broker.resume()


def test_each_service_uses_less_than_80_mb_when_idle(stopped: Stack) -> None:
    stopped.start()
    with client(stopped.collector) as http:
        for i in range(100):
            assert send(http, reading("idle", i), path=STORED).status_code == 201
        assert http.get("/openapi.json").status_code == 200
    for service in (stopped.collector, stopped.bridge):
        assert resident_mb(service) < 80, service.name


def resident_mb(service: Service) -> float:
    """Return the resident memory of a process in MB."""
    status = Path(f"/proc/{service.pid}/status").read_text(encoding="ascii")
    (kb,) = [line.split()[1] for line in status.splitlines() if line.startswith("VmRSS:")]
    return int(kb) * 1024 / 1e6
