"""The simulator against the real collector and a broker."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.device.process import Device
from tests.service import Service, free_port, wait_for
from tests.stack import Broker, Collector


class Subscriber(Service):
    """mosquitto_sub on all readings, replayed ones included."""

    def __init__(self, directory: Path, broker: Broker) -> None:
        topics = ["-t", "readings/#", "-t", "replay/#"]
        options = ["-p", str(broker.port), "-q", "1", "-i", "device-test", "-c"]
        super().__init__("subscriber", directory, ["mosquitto_sub", *options, *topics])

    def start(self) -> None:
        """Subscribe with a persistent session before listening, so that no message is missed."""
        subprocess.run([*self.argv, "-E"], check=True, timeout=20)
        super().start()

    def readings(self) -> list[dict[str, Any]]:
        """Return the readings received so far; a line still being written is left out."""
        *lines, _ = self.log_text().split("\n")
        return [json.loads(line) for line in lines]


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    with Broker(tmp_path / "broker") as broker:
        yield broker


def points(readings: list[dict[str, Any]]) -> set[tuple[str, str, int]]:
    return {(one["ts"], one["type"], one["sensor_id"]) for one in readings}


def test_accepted_readings_are_published_although_the_collector_was_killed(
    tmp_path: Path, broker: Broker
) -> None:
    collector = Collector(tmp_path, mqtt_port=broker.port, influx_port=free_port())
    options = ["--rate", "200", "--count", "600", "--batch", "5", "--types", "temp", "humé"]
    with Subscriber(tmp_path, broker) as subscriber, collector:
        with Device(tmp_path, collector.port, *options) as device:
            wait_for(lambda: len(subscriber.readings()) >= 100, what="the first readings")
            collector.kill()
            wait_for(lambda: "retrying in" in device.log_text(), what="the device to retry")
            assert len(points(subscriber.readings())) < 600, "the collector was killed too late"
            collector.start()
            assert device.end(40) == 0
        wait_for(lambda: len(points(subscriber.readings())) == 600, 20, "600 points")
    assert device.summary()["accepted"] == 600


def test_refused_readings_are_named_and_the_others_arrive(tmp_path: Path, broker: Broker) -> None:
    collector = Collector(tmp_path, mqtt_port=broker.port, influx_port=free_port())
    options = ["--rate", "200", "--count", "40", "--batch", "8", "--types", "temp", "a/b"]
    with Subscriber(tmp_path, broker) as subscriber, collector:
        with Device(tmp_path, collector.port, *options) as device:
            assert device.end() == 1
        wait_for(lambda: len(points(subscriber.readings())) == 20, what="20 points")
    assert device.log_text().count('dropped: {"ts":') == 20
    assert {one["type"] for one in subscriber.readings()} == {"temp"}
