"""docs/examples/haproxy.cfg before two cells: one is killed, and no request fails."""

import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from itertools import count
from pathlib import Path
from threading import Event, Thread

import httpx
import pytest

from device.client import CollectorClient
from device.mqtt_client import MqttClient
from device.responses import Response
from tests.balancer import Balancer, Cell
from tests.chaos.books import books_from_metrics
from tests.integration.points import wait_points
from tests.service import wait_for
from tests.stack import Bridge, Broker, Collector, Influx

DEVICES = 4
STUCK_S = 0.2
READING = '{"type":"temp","value":1,"sensor_id":7}'


class Device(Thread):
    """Posts readings of a sensor, one after the other, until `stopping` is set."""

    def __init__(self, port: int, sensor: str, stopping: Event) -> None:
        super().__init__()
        self.answers: list[Response] = []
        self.since = time.monotonic()
        self._port, self._sensor, self._stopping = port, sensor, stopping

    def run(self) -> None:
        with closing(CollectorClient("127.0.0.1", self._port)) as client:
            for value in count():
                if self._stopping.is_set():
                    return
                ts = f"2026-01-01T00:00:{value // 10**6:02}.{value % 10**6:06}Z"
                self.since = time.monotonic()
                self.answers.append(
                    client.post(
                        [f'{{"ts":"{ts}","type":"temp","value":1,"sensor_id":"{self._sensor}"}}']
                    )
                )

    @property
    def stuck(self) -> bool:
        return time.monotonic() - self.since > STUCK_S


class Cells:
    """Two cells with one database, and HAProxy before them."""

    def __init__(self, directory: Path, influx: Influx) -> None:
        self.brokers = [Broker(directory / f"broker{n}") for n in range(2)]
        self.bridges, self.collectors = [], []
        for number, broker in enumerate(self.brokers):
            ports = {"mqtt_port": broker.port, "influx_port": influx.port}
            name = {"BRIDGE_ID": f"cell{number}", "INFLUX_DATABASE": "haproxy"}
            self.bridges.append(Bridge(directory / f"bridge{number}", **ports, env=name))
            env = {"INFLUX_DATABASE": "haproxy"}
            self.collectors.append(Collector(directory / f"collector{number}", **ports, env=env))
        pairs = zip(self.collectors, self.brokers, strict=True)
        cells = [Cell("127.0.0.1", collector.port, broker.port) for collector, broker in pairs]
        self.balancer = Balancer(directory / "haproxy", cells)

    def wait_ready(self) -> None:
        for collector in self.collectors:
            wait_for(lambda c=collector: _is_ready(c), what="GET /readyz")  # type: ignore[misc]


def _is_ready(collector: Collector) -> bool:
    try:
        return httpx.get(f"{collector.url}/readyz").status_code == 200
    except httpx.TransportError:
        return False


def _accepted(collector: Collector) -> int:
    return books_from_metrics(collector.url).accepted


@pytest.fixture(scope="module")
def cells(tmp_path_factory: pytest.TempPathFactory, influx: Influx) -> Iterator[Cells]:
    cells = Cells(tmp_path_factory.mktemp("cells"), influx)
    parts = [*cells.brokers, *cells.bridges, *cells.collectors]
    with ExitStack() as stack:
        for part in parts:
            stack.callback(part.kill)
            part.start()
        cells.wait_ready()
        yield cells


def post_while_one_is_killed(cells: Cells, balancer: Balancer, name: str) -> list[Device]:
    """Kill the first collector while requests wait for it; return the devices."""
    stopping = Event()
    devices = [Device(balancer.http, f"{name}-{n}", stopping) for n in range(DEVICES)]
    killed = cells.collectors[0]
    try:
        for device in devices:
            device.start()
        wait_for(lambda: all(len(device.answers) > 50 for device in devices), what="answers")
        killed.pause()
        wait_for(lambda: any(device.stuck for device in devices), what="a request waits")
        killed.kill()
        done = [len(device.answers) for device in devices]
        wait_for(
            lambda: all(
                len(device.answers) > before + 50
                for device, before in zip(devices, done, strict=True)
            ),
            what="more answers",
        )
    finally:
        stopping.set()
        for device in devices:
            device.join()
        killed.kill()
        killed.start()
        killed.wait_ready()
        cells.wait_ready()
    return devices


def test_haproxy_warns_of_nothing_in_the_example(cells: Cells) -> None:
    check = ["haproxy", "-c", "-f", str(cells.balancer.configuration)]
    done = subprocess.run(check, capture_output=True, text=True, check=True)
    assert "WARNING" not in done.stdout + done.stderr


def test_no_request_fails_when_a_collector_is_killed(cells: Cells, influx: Influx) -> None:
    with cells.balancer as balancer:
        devices = post_while_one_is_killed(cells, balancer, "kept")
    for number, device in enumerate(devices):
        assert {(answer.status, answer.text) for answer in device.answers} == {(201, "Created")}
        count = len(device.answers)
        assert len(wait_points(influx, f"kept-{number}", count, db="haproxy")) == count


def test_without_repeating_requests_one_fails(cells: Cells, tmp_path: Path) -> None:
    balancer = Balancer(tmp_path, cells.balancer.cells)
    text = balancer.configuration.read_text()
    balancer.configuration.write_text(text.replace("retry-on all-retryable-errors", ""))
    with balancer:
        devices = post_while_one_is_killed(cells, balancer, "control")
    assert any(answer.status != 201 for device in devices for answer in device.answers)


def test_readings_are_taken_while_no_cell_is_ready(cells: Cells, influx: Influx) -> None:
    for broker in cells.brokers:
        broker.kill()
    try:
        with (
            cells.balancer as balancer,
            closing(CollectorClient("127.0.0.1", balancer.http)) as one,
        ):
            wait_for(lambda: not any(map(_is_ready, cells.collectors)), what="none is ready")
            wait_for(lambda: one.post([READING]).status == 201, what="accepted")
    finally:
        for broker in cells.brokers:
            broker.start()
        cells.wait_ready()
    assert wait_points(influx, "7", db="haproxy")


def test_a_device_by_mqtt_moves_to_the_other_cell(cells: Cells) -> None:
    with (
        cells.balancer as balancer,
        closing(MqttClient("127.0.0.1", balancer.mqtt, 8)) as device,
    ):
        before = [_accepted(collector) for collector in cells.collectors]
        assert device.post([READING]).status == "accepted"
        (used,) = (c for c, n in zip(cells.collectors, before, strict=True) if _accepted(c) > n)
        used.kill()
        wait_for(lambda: device.post([READING]).status == "accepted", what="accepted")
