"""A collector announces its series to Home Assistant, and goes on with the readings."""

import json
import shlex
import subprocess
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import httpx
import pytest

from collector.publishing.discovery import config_topic
from tests.builders import reading
from tests.home_assistant import Sensor
from tests.integration.mosquitto_clients import Subscriber, publish
from tests.integration.posting import STORED, client, metrics, send
from tests.readme.documents import blocks, section
from tests.stack import Broker, Collector, Stack, free_port, wait_for

PREFIX = "homeassistant"
MANY = 2000


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    with Broker(tmp_path / "broker") as broker:
        yield broker


@pytest.fixture
def collector(broker: Broker, tmp_path: Path) -> Iterator[Collector]:
    """A running collector that announces its series; there is no InfluxDB."""
    collector = Collector(
        tmp_path / "collector",
        mqtt_port=broker.port,
        influx_port=free_port(),
        env={"HOME_ASSISTANT_PREFIX": PREFIX},
    )
    with collector:
        yield collector


def post(collector: Collector, *readings: object) -> None:
    with client(collector) as http:
        assert send(http, list(readings)).status_code == 201


def sensor_of(broker: Broker, series: str) -> Sensor:
    """Wait until a series is announced, and return what Home Assistant makes of it."""
    topic = config_topic(PREFIX, series)
    payload = wait_for(lambda: broker.retained(topic), what=f"{topic} retained")
    return Sensor(topic, json.loads(payload))


def says_available(broker: Broker, sensor: Sensor) -> bool | None:
    """Return what the retained status says; None without one."""
    payload = broker.retained(sensor.config["availability_topic"])
    return sensor.is_available(json.loads(payload)) if payload else None


def test_a_series_is_announced_as_documented(broker: Broker, collector: Collector) -> None:
    post(collector, reading("kitchen", value=21.5), reading(7, value=40, type_="humidity"))
    for series, value, unit in (("kitchen/temp", "21.5", "°C"), ("7/humidity", "40", "%")):
        sensor = sensor_of(broker, series)
        assert sensor.config["unit_of_measurement"] == unit
        topic = sensor.config["state_topic"]
        payload = wait_for(partial(broker.retained, topic), what=topic)
        assert sensor.value(json.loads(payload)) == value


def test_a_new_series_is_announced_at_once_and_only_once(
    broker: Broker, collector: Collector, tmp_path: Path
) -> None:
    with Subscriber(tmp_path / "ha", broker, f"{PREFIX}/#") as home_assistant:
        post(collector, reading("a"), reading("a"))
        home_assistant.wait_received(1)
        post(collector, reading("a"), reading("b"))
        post(collector, reading("c"))
        received = home_assistant.wait_received(3)
    assert [Sensor(m.topic, m.payload).config["device"]["name"] for m in received] == list("abc")


def test_sensors_are_available_while_the_collector_is(broker: Broker, collector: Collector) -> None:
    post(collector, reading("kitchen"))
    sensor = sensor_of(broker, "kitchen/temp")
    for end in (collector.kill, collector.stop):
        wait_for(lambda: says_available(broker, sensor), what="available")
        end()
        wait_for(lambda: says_available(broker, sensor) is False, what="unavailable")
        collector.start()
    wait_for(lambda: says_available(broker, sensor), what="available again")


def test_a_broker_that_has_lost_everything_gets_it_again(
    broker: Broker, collector: Collector
) -> None:
    post(collector, reading("kitchen"))
    sensor_of(broker, "kitchen/temp")
    broker.kill()
    broker.wipe()
    with broker:
        sensor_of(broker, "kitchen/temp")


def test_without_the_setting_nothing_is_announced(
    pipeline: Stack, sensor: str, tmp_path: Path
) -> None:
    with Subscriber(tmp_path, pipeline.broker, "+/sensor/#") as home_assistant:
        with client(pipeline.collector) as http:
            assert send(http, reading(sensor), path=STORED).status_code == 201
        publish(pipeline.broker, "other/sensor/config", {})
        assert [m.topic for m in home_assistant.wait_received()] == ["other/sensor/config"]


def test_the_entries_are_removed_as_documented(
    broker: Broker, collector: Collector, tmp_path: Path
) -> None:
    post(collector, reading("kitchen"), reading("a b"))
    others = f"{PREFIX}/sensor/other/temp/config"
    publish(broker, others, {}, "-r")
    for series in ("kitchen/temp", "a b/temp"):
        sensor_of(broker, series)
    collector.stop()
    del collector.env["HOME_ASSISTANT_PREFIX"]
    with collector:
        (documented,) = blocks(section("docs/home-assistant.md", "Getting rid of it"))
        command = documented.content.replace("localhost", f"127.0.0.1 -p {broker.port}")
        subprocess.run(shlex.split(command), check=False)
        post(collector, reading("kitchen"), reading("new"))
        wait_for(lambda: broker.retained("readings/new/temp"))
        with Subscriber(tmp_path / "ha", broker, f"{PREFIX}/#") as home_assistant:
            publish(broker, f"{PREFIX}/last", {})
            topics = [message.topic for message in home_assistant.wait_received(2)]
        assert topics == [others, f"{PREFIX}/last"]


def test_readings_go_on_while_many_series_are_announced(restartable: Stack, tmp_path: Path) -> None:
    with Collector(
        tmp_path,
        mqtt_port=restartable.broker.port,
        influx_port=restartable.influx.port,
        env={"HOME_ASSISTANT_PREFIX": "many"},
    ) as collector:
        for first in range(0, MANY, 1000):
            post(collector, *[reading(f"many {n}", value=n) for n in range(first, first + 1000)])
        collector.kill()
        with Subscriber(tmp_path, restartable.broker, "many/#") as home_assistant:
            collector.start()
            collector.wait_ready()
            with client(collector) as http:
                wait_for(lambda: stored_at_once(http), what="stored")
                wait_for(lambda: len(live(home_assistant)) == MANY, 30, "all announced again")
                wait_for(lambda: metrics(http)["pending"] == 0, 30, "all receipts")
        assert collector.command("audit").returncode == 0


def live(subscriber: Subscriber) -> set[str]:
    """Return the topics of the messages that were not retained."""
    return {message.topic for message in subscriber.received() if not message.retained}


def stored_at_once(http: httpx.Client) -> bool:
    return send(http, reading("many 0", time.time_ns()), path=STORED).status_code == 201
