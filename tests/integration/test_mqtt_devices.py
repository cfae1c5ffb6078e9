"""Devices that publish to MQTT themselves, and messages that are not readings."""

import time
from collections.abc import Iterator

import httpx
import pytest

from telemetry.timestamp import render
from tests.builders import Json, published
from tests.integration.mosquitto_clients import Subscriber, publish
from tests.integration.points import period, points, rejecting, wait_points
from tests.integration.posting import metrics, send
from tests.stack import Stack, wait_for

TS = "2026-01-31T12:00:00.123456789Z"
NS = 1769860800_123456789
OLD_TS = render(period(5))


@pytest.fixture(scope="module")
def dead_letters(pipeline: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Subscriber]:
    """A mosquitto_sub that receives all dead letters."""
    directory = tmp_path_factory.mktemp("dead_letters")
    with Subscriber(directory, pipeline.broker, "rejected/#") as subscriber:
        yield subscriber


def letter_about(dead_letters: Subscriber, topic: str) -> tuple[str, Json]:
    """Wait for the one dead letter about a message on `topic`; return its own topic and payload."""
    letters = wait_for(
        lambda: [m for m in dead_letters.received() if m.payload["topic"] == topic],
        what=f"a dead letter about {topic}",
    )
    (letter,) = letters
    assert letter.payload.keys() == {"reason", "payload", "topic"}
    assert letter.payload["reason"]
    return letter.topic, letter.payload


@pytest.mark.parametrize("left_out", [[], ["sensor_id"], ["type"], ["sensor_id", "type"]])
def test_a_reading_on_readings_is_taken_as_if_on_devices(
    pipeline: Stack, sensor: str, left_out: list[str]
) -> None:
    payload = {"ts": TS, "type": "é temp", "value": 0.1, "sensor_id": sensor}
    for field in left_out:
        del payload[field]
    publish(pipeline.broker, f"readings/{sensor}/é temp", payload)
    assert wait_points(pipeline.influx, sensor) == {("é temp", NS): 0.1}


def test_a_retained_reading_on_readings_is_taken_from_the_live_message(
    pipeline: Stack, sensor: str
) -> None:
    publish(pipeline.broker, f"readings/{sensor}/temp", {"value": 3}, "-r")
    ((series, value),) = wait_points(pipeline.influx, sensor).items()
    assert (series[0], value) == ("temp", 3)


def test_a_reading_without_ts_gets_the_time_of_its_arrival(pipeline: Stack, sensor: str) -> None:
    before = time.time_ns()
    publish(pipeline.broker, f"devices/{sensor}/temp", {"value": 1})
    ((_, ns),) = wait_points(pipeline.influx, sensor)
    assert before <= ns <= time.time_ns()


@pytest.mark.parametrize("qos", ["0", "2"])
def test_readings_published_at_other_qos_are_stored(pipeline: Stack, sensor: str, qos: str) -> None:
    publish(pipeline.broker, f"devices/{sensor}/temp", {"ts": TS, "value": 1}, "-q", qos)
    assert wait_points(pipeline.influx, sensor) == {("temp", NS): 1}


UNREADABLE_TOPIC = "rejected/unreadable/unreadable"
UNREADABLE = [
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
    (b'{"value": 1, "value": 2}', "temp"),
    (b'{"value": 1, "ts": "2026-01-31T12:00:00Z", "ts": "2026-01-31T12:00:00Z"}', "temp"),
    (b'{"value": 1, "valu\\u0065": 2}', "temp"),
    ({"value": 1}, "x" * 65),
    ({"value": 1}, "ends with \\"),
]


@pytest.mark.parametrize(("payload", "type_"), UNREADABLE)
def test_an_unreadable_message_becomes_a_dead_letter_and_its_neighbours_are_stored(
    pipeline: Stack, dead_letters: Subscriber, sensor: str, payload: object, type_: str
) -> None:
    topic = f"readings/{sensor}/{type_}"
    publish(pipeline.broker, f"readings/{sensor}/before", published(sensor, 1, TS, "before"))
    publish(pipeline.broker, topic, payload)
    publish(pipeline.broker, f"readings/{sensor}/after", published(sensor, 1, TS, "after"))
    assert wait_points(pipeline.influx, sensor, 2) == {("before", NS): 1, ("after", NS): 1}
    at, letter = letter_about(dead_letters, topic)
    assert at == (f"rejected/{sensor}/temp" if type_ == "temp" else UNREADABLE_TOPIC)
    if isinstance(payload, bytes):
        assert letter["payload"] == payload.decode(errors="replace")


@pytest.mark.parametrize("rest", ["", "/temp/more", "//temp/more"])
def test_a_message_on_a_topic_of_another_depth_becomes_a_dead_letter(
    pipeline: Stack, dead_letters: Subscriber, sensor: str, rest: str
) -> None:
    topic = f"readings/{sensor}{rest}"
    publish(pipeline.broker, topic, {"value": 1})
    at, letter = letter_about(dead_letters, topic)
    assert at == UNREADABLE_TOPIC
    assert topic in letter["reason"]


def test_a_very_long_message_becomes_a_dead_letter_that_the_broker_takes(
    pipeline: Stack, dead_letters: Subscriber, sensor: str
) -> None:
    publish(pipeline.broker, f"readings/{sensor}/long", b"\x01" * 60_000)
    publish(pipeline.broker, f"readings/{sensor}/temp", published(sensor, 1, TS))
    wait_points(pipeline.influx, sensor)
    at, letter = letter_about(dead_letters, f"readings/{sensor}/long")
    assert at == f"rejected/{sensor}/long"
    assert letter["payload"].startswith("\x01\x01\x01")


def test_a_devices_reading_rejected_by_influxdb_becomes_a_dead_letter(
    pipeline: Stack, dead_letters: Subscriber, sensor: str
) -> None:
    with rejecting(pipeline.influx, period(5)):
        publish(pipeline.broker, f"devices/{sensor}/temp", {"value": 1, "ts": OLD_TS})
        publish(pipeline.broker, f"devices/{sensor}/temp", {"value": 1, "ts": TS})
        at, letter = letter_about(dead_letters, f"readings/{sensor}/temp")
        assert at == f"rejected/{sensor}/temp"
        assert "field type conflict" in letter["reason"]
        assert wait_points(pipeline.influx, sensor) == {("temp", NS): 1}


def test_a_posted_reading_rejected_by_influxdb_becomes_a_dead_letter_and_is_counted(
    pipeline: Stack, http: httpx.Client, dead_letters: Subscriber, sensor: str
) -> None:
    rejected_before = metrics(http)["rejected"]
    batch = [
        {"ts": ts, "type": "temp", "value": i, "sensor_id": sensor}
        for i, ts in enumerate([TS, OLD_TS])
    ]
    with rejecting(pipeline.influx, period(5)):
        assert send(http, batch).status_code == 201
        at, letter = letter_about(dead_letters, f"readings/{sensor}/temp")
        assert at == f"rejected/{sensor}/temp"
        assert "field type conflict" in letter["reason"]
        assert f'"{sensor}"' in letter["payload"]
        assert wait_points(pipeline.influx, sensor) == {("temp", NS): 0}
        wait_for(lambda: metrics(http)["rejected"] == rejected_before + 1)
    assert points(pipeline.influx, "conflict") == {}


def test_a_message_from_an_unknown_name_is_refused_and_buried(
    pipeline: Stack, http: httpx.Client, dead_letters: Subscriber, sensor: str
) -> None:
    refused = metrics(http)["mqtt_refused"]
    topic = f"from/nobody/devices/{sensor}/temp"
    publish(pipeline.broker, topic, {"value": 1})
    at, letter = letter_about(dead_letters, topic)
    assert at == f"rejected/{sensor}/temp"
    assert letter["reason"] == "name 'nobody' is no identity of this collector"
    wait_for(lambda: metrics(http)["mqtt_refused"] == refused + 1)
    assert points(pipeline.influx, sensor) == {}
