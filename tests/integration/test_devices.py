"""Devices that publish to devices/#: they have the promise of a POST."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.mosquitto_clients import Subscriber, publish
from tests.integration.points import points, wait_points
from tests.stack import Stack, wait_for

TS = "2026-01-31T12:00:00Z"
NS = 1769860800_000000000


@pytest.fixture
def answers(restartable: Stack, tmp_path: Path) -> Iterator[Subscriber]:
    with Subscriber(tmp_path, restartable.broker, "accepted/#") as subscriber:
        yield subscriber


def test_a_number_is_stored_shown_and_counted(
    restartable: Stack, sensor: str, tmp_path: Path
) -> None:
    before = json.loads(restartable.collector.command("books", "--json").stdout)["accepted"]
    with Subscriber(tmp_path, restartable.broker, f"readings/{sensor}/temp") as consumer:
        publish(restartable.broker, f"devices/{sensor}/temp", 21.5)
        (reading,) = consumer.wait_received()
    assert reading.payload["value"] == 21.5
    assert reading.payload["id"]
    ((point, value),) = wait_points(restartable.influx, sensor).items()
    assert (point[0], value) == ("temp", 21.5)
    after = json.loads(restartable.collector.command("books", "--json").stdout)["accepted"]
    assert after == before + 1


def test_an_answer_means_that_a_killed_collector_still_has_it(
    restartable: Stack, sensor: str, answers: Subscriber
) -> None:
    restartable.bridge.pause()
    try:
        publish(restartable.broker, f"devices/{sensor}", {"temp": 1, "ts": TS, "ref": "first"})
        answer = answers.wait_received()[-1]
        restartable.collector.kill()
    finally:
        restartable.bridge.resume()
    assert answer.topic == f"accepted/{sensor}"
    assert answer.payload == {"ref": "first", "count": 1}
    restartable.start("collector")
    assert wait_points(restartable.influx, sensor) == {("temp", NS): 1}


def test_what_is_published_while_the_collector_is_down_waits_for_it(
    restartable: Stack, sensor: str, answers: Subscriber
) -> None:
    restartable.collector.stop()
    publish(restartable.broker, f"devices/{sensor}/temp", {"value": 2, "ts": TS, "ref": 2})
    restartable.start("collector")
    assert answers.wait_received()[-1].payload == {"ref": 2, "count": 1}
    assert wait_points(restartable.influx, sensor) == {("temp", NS): 2}


def test_a_large_message_is_refused_and_those_behind_it_are_taken(
    restartable: Stack, sensor: str, answers: Subscriber
) -> None:
    large = b'"%b"' % (b"x" * 500_000)
    for topic in (f"devices/{sensor}/t", "zigbee2mqtt/bridge/devices", f"readings/{sensor}/t"):
        publish(restartable.broker, topic, large)
    publish(restartable.broker, f"devices/{sensor}/t", {"value": 1, "ts": TS, "ref": "behind"})
    assert answers.wait_received()[-1].payload["ref"] == "behind"
    assert wait_points(restartable.influx, sensor) == {("t", NS): 1}
    log = restartable.collector.log_text()
    assert f"devices/{sensor}/t: expected at most 65535 bytes, found 500002" in log
    assert "zigbee2mqtt" not in log
    wait_for(lambda: "more than 2000 bytes" in restartable.bridge.log_text())


def test_a_retained_message_is_taken_once(
    restartable: Stack, sensor: str, answers: Subscriber
) -> None:
    topic = f"devices/{sensor}/temp"
    publish(restartable.broker, topic, {"value": 3, "ref": 3}, "-r")
    answers.wait_received()
    before = wait_points(restartable.influx, sensor)
    restartable.collector.stop()
    restartable.start("collector")
    publish(restartable.broker, f"devices/{sensor}/last", {"value": 4, "ref": 4})
    wait_for(lambda: answers.received()[-1].payload["ref"] == 4, what="the last answer")
    wait_points(restartable.influx, sensor, 2)
    assert {point for point in points(restartable.influx, sensor) if point[0] == "temp"} == {
        *before
    }
    publish(restartable.broker, topic, b"", "-r")
