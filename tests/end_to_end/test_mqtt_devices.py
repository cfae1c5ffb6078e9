"""Devices that publish straight to MQTT, and messages that are no readings."""

import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.end_to_end.curl import post
from tests.end_to_end.publish import publish
from tests.end_to_end.subscriber import Subscriber
from tests.integration.points import mend, points, poison, wait_points, week
from tests.integration.posting import client, metrics
from tests.stack import Stack, wait_for

Json = dict[str, Any]

TS = "2026-01-31T12:00:00.123456789Z"
NS = 1769860800_123456789


@pytest.fixture(scope="module")
def dead_letters(pipeline: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Subscriber]:
    """Give a mosquitto_sub that hears all dead letters."""
    directory = tmp_path_factory.mktemp("dead_letters")
    with Subscriber(directory, pipeline.broker, "rejected/#") as subscriber:
        yield subscriber


def letter_about(dead_letters: Subscriber, topic: str) -> tuple[str, Json]:
    """Wait for the one dead letter about a message on `topic`; return its own topic and payload."""
    heard = wait_for(
        lambda: [heard for heard in dead_letters.heard() if heard.payload["topic"] == topic],
        what=f"a dead letter about {topic}",
    )
    (letter,) = heard
    assert letter.payload.keys() == {"reason", "payload", "topic"}
    assert letter.payload["reason"]
    return letter.topic, letter.payload


@pytest.mark.parametrize("left_out", [[], ["sensor_id"], ["type"], ["sensor_id", "type"]])
def test_sensor_and_type_may_be_left_to_the_topic(
    pipeline: Stack, sensor: str, left_out: list[str]
) -> None:
    payload = {"ts": TS, "type": "é temp", "value": 0.1, "sensor_id": sensor}
    for field in left_out:
        del payload[field]
    publish(pipeline.broker, f"readings/{sensor}/é temp", payload)
    assert wait_points(pipeline.influx, sensor) == {("é temp", NS): 0.1}


def test_a_number_in_the_payload_is_the_topics_sensor(pipeline: Stack) -> None:
    publish(pipeline.broker, "readings/770077/temp", {"ts": TS, "value": 3, "sensor_id": 770077})
    assert wait_points(pipeline.influx, "770077") == {("temp", NS): 3}


def test_without_ts_a_reading_gets_the_time_of_its_arrival(pipeline: Stack, sensor: str) -> None:
    before = time.time_ns()
    publish(pipeline.broker, f"readings/{sensor}/temp", {"value": 1})
    ((_, ns),) = wait_points(pipeline.influx, sensor)
    assert before <= ns <= time.time_ns()


@pytest.mark.parametrize("qos", ["0", "2"])
def test_other_qualities_of_service_arrive_too(pipeline: Stack, sensor: str, qos: str) -> None:
    publish(pipeline.broker, f"readings/{sensor}/temp", {"ts": TS, "value": 1}, "-q", qos)
    assert wait_points(pipeline.influx, sensor) == {("temp", NS): 1}


NOWHERE = "rejected/unreadable/unreadable"
UNREADABLE = [
    (b"", "temp"),
    (b"25", "temp"),
    (b"\xff\xfe\x00", "temp"),
    (b'{"value": 1', "temp"),
    (b'{"value": 1e999}', "temp"),
    ({"value": "25"}, "temp"),
    ({"value": None}, "temp"),
    ({"ts": TS}, "temp"),
    ([{"value": 1}], "temp"),
    ({"value": 1, "unit": "C"}, "temp"),
    ({"value": 1, "ts": "noon"}, "temp"),
    ({"value": 1, "ts": 1769860800}, "temp"),
    ({"value": 1, "type": "humidity"}, "temp"),
    ({"value": 1, "sensor_id": "another"}, "temp"),
    ({"value": 1, "id": "no number"}, "temp"),
    ({"value": 1, "id": "a/b:1"}, "temp"),
    ({"value": 1}, "x" * 65),
    ({"value": 1}, "ends with \\"),
]


@pytest.mark.parametrize(("payload", "type_"), UNREADABLE)
def test_what_is_no_reading_is_a_dead_letter_and_its_neighbours_are_stored(
    pipeline: Stack, dead_letters: Subscriber, sensor: str, payload: object, type_: str
) -> None:
    topic = f"readings/{sensor}/{type_}"
    publish(pipeline.broker, f"readings/{sensor}/before", {"value": 1, "ts": TS})
    publish(pipeline.broker, topic, payload)
    publish(pipeline.broker, f"readings/{sensor}/after", {"value": 1, "ts": TS})
    assert wait_points(pipeline.influx, sensor, 2) == {("before", NS): 1, ("after", NS): 1}
    at, letter = letter_about(dead_letters, topic)
    assert at == (f"rejected/{sensor}/temp" if type_ == "temp" else NOWHERE)
    if isinstance(payload, bytes):
        assert letter["payload"] == payload.decode(errors="replace")


@pytest.mark.parametrize("rest", ["", "/temp/more", "//temp/more"])
def test_a_topic_of_another_depth_is_a_dead_letter(
    pipeline: Stack, dead_letters: Subscriber, sensor: str, rest: str
) -> None:
    topic = f"readings/{sensor}{rest}"
    publish(pipeline.broker, topic, {"value": 1})
    at, letter = letter_about(dead_letters, topic)
    assert at == NOWHERE
    assert topic in letter["reason"]


def test_a_very_long_message_leaves_a_letter_that_the_broker_takes(
    pipeline: Stack, dead_letters: Subscriber, sensor: str
) -> None:
    publish(pipeline.broker, f"readings/{sensor}/long", b"\x01" * 60_000)
    publish(pipeline.broker, f"readings/{sensor}/temp", {"value": 1, "ts": TS})
    wait_points(pipeline.influx, sensor)
    at, letter = letter_about(dead_letters, f"readings/{sensor}/long")
    assert at == f"rejected/{sensor}/long"
    assert letter["payload"].startswith("\x01\x01\x01")


def test_what_influxdb_refuses_of_a_device_is_a_dead_letter(
    pipeline: Stack, dead_letters: Subscriber, sensor: str
) -> None:
    poison(pipeline.influx, week(50))
    ts = "2002-08-25T00:00:00Z"
    publish(pipeline.broker, f"readings/{sensor}/temp", {"value": 1, "ts": ts})
    publish(pipeline.broker, f"readings/{sensor}/temp", {"value": 1, "ts": TS})
    at, letter = letter_about(dead_letters, f"readings/{sensor}/temp")
    assert at == f"rejected/{sensor}/temp"
    assert "field type conflict" in letter["reason"]
    assert wait_points(pipeline.influx, sensor) == {("temp", NS): 1}
    mend(pipeline.influx, week(50))


def test_what_influxdb_refuses_of_a_post_is_a_dead_letter_and_counted(
    pipeline: Stack, dead_letters: Subscriber, sensor: str
) -> None:
    poison(pipeline.influx, week(50))
    ts = "2002-08-25T00:00:00Z"
    batch = [
        {"ts": t, "type": "temp", "value": i, "sensor_id": sensor} for i, t in enumerate([TS, ts])
    ]
    assert post(pipeline.collector, batch)[0] == 201
    at, letter = letter_about(dead_letters, f"readings/{sensor}/temp")
    assert at == f"rejected/{sensor}/temp"
    assert "field type conflict" in letter["reason"]
    assert f'"{sensor}"' in letter["payload"]
    assert wait_points(pipeline.influx, sensor) == {("temp", NS): 0}
    with client(pipeline.collector) as http:
        wait_for(lambda: metrics(http)["rejected"])
    mend(pipeline.influx, week(50))
    assert points(pipeline.influx, "poison") == {}
