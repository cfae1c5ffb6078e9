"""curl → collector → mosquitto_sub sees it → InfluxDB has it, unchanged."""

import gzip
import time
from collections.abc import Iterator
from typing import Any

import pytest

from telemetry import timestamp
from tests.end_to_end.curl import JSON, NDJSON, encoded, post
from tests.end_to_end.subscriber import Subscriber
from tests.integration.points import points
from tests.stack import Stack, wait_for

TYPES = ["température", "CO₂ (ppm)", " a  b ", "a,b=c", "x'y\"z", "\\back\\.", "not first $",
         "日本", "🌡", "%s{}${x}", "null", "-1", "a\u0301", "a&b;c|d>e", "x" * 64]  # fmt: skip
SENSORS = [0, 2**63 - 1, "kitchen", "Küche 2", "a,b=c d", "x'y\"z", "12.5", "007", "\\n", "*"]
VALUES = [0, -17.123456789012345, 1 / 3, 5e-324, -1.7976931348623157e308, 2**53 + 1]


@pytest.fixture(scope="module")
def witness(pipeline: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Subscriber]:
    """Give a mosquitto_sub that hears all readings."""
    with Subscriber(tmp_path_factory.mktemp("witness"), pipeline.broker, "readings/#") as witness:
        yield witness


def reading(sensor_id: int | str, type_: str = "temp", value: float = 21) -> dict[str, Any]:
    """Return a reading of now; a double could not hold its last digit."""
    ts = timestamp.render(time.time_ns() // 10 * 10 + 1)
    return {"ts": ts, "type": type_, "value": value, "sensor_id": sensor_id}


def check(pipeline: Stack, witness: Subscriber, *readings: dict[str, Any]) -> None:
    """Check that each reading came by MQTT as it was posted, once, and lies in InfluxDB so."""
    for reading in readings:
        sensor, type_ = str(reading["sensor_id"]), reading["type"]
        topic, ts = f"readings/{sensor}/{type_}", reading["ts"]
        point = (type_, timestamp.parse(ts))
        wait_for(lambda: point in points(pipeline.influx, sensor), what=topic)  # noqa: B023
        assert points(pipeline.influx, sensor)[point] == float(reading["value"])
        payloads = [h.payload for h in witness.heard() if h.topic == topic]
        (heard,) = [payload for payload in payloads if payload["ts"] == ts]
        assert heard.pop("id")
        assert heard == reading
        assert list(heard) == ["ts", "type", "value", "sensor_id"]
        assert type(heard["value"]) is type(reading["value"])


@pytest.mark.parametrize("type_", TYPES)
def test_an_object_with_an_odd_type(
    pipeline: Stack, witness: Subscriber, sensor: str, type_: str
) -> None:
    sent = reading(sensor, type_)
    assert post(pipeline.collector, sent) == (201, "Created")
    check(pipeline, witness, sent)


@pytest.mark.parametrize("sensor_id", SENSORS)
def test_an_object_with_an_odd_sensor(
    pipeline: Stack, witness: Subscriber, sensor_id: int | str
) -> None:
    sent = reading(sensor_id)
    assert post(pipeline.collector, sent) == (201, "Created")
    check(pipeline, witness, sent)


@pytest.mark.parametrize("form", [JSON, NDJSON])
@pytest.mark.parametrize("zipped", [False, True])
def test_a_batch_in_every_form(
    pipeline: Stack, witness: Subscriber, sensor: str, form: str, *, zipped: bool
) -> None:
    sent = [reading(sensor, f"é{i}", value) for i, value in enumerate(VALUES)]
    sent += [reading(i) for i in range(5)]
    body = encoded(sent, form)
    options = ["--header", "Content-Encoding: gzip"] if zipped else []
    answer = post(pipeline.collector, gzip.compress(body) if zipped else body, form, *options)
    assert answer == (201, f'{{"accepted":{len(sent)}}}')
    check(pipeline, witness, *sent)


def test_a_batch_in_which_one_is_wrong_leaves_no_trace(
    pipeline: Stack, witness: Subscriber, sensor: str
) -> None:
    assert post(pipeline.collector, [reading(sensor), {**reading(sensor), "value": "x"}])[0] == 422
    marker = reading(f"{sensor}-after")
    assert post(pipeline.collector, marker)[0] == 201
    check(pipeline, witness, marker)
    assert not points(pipeline.influx, sensor)
    assert not [h for h in witness.heard() if f"/{sensor}/" in h.topic]


def test_with_ack_stored_the_point_is_there_with_the_answer(
    pipeline: Stack, witness: Subscriber, sensor: str
) -> None:
    sent = reading(sensor)
    answer = post(pipeline.collector, sent, query="?ack=stored")
    assert answer == (201, '{"accepted":1,"stored":true}')
    assert points(pipeline.influx, sensor) == {("temp", timestamp.parse(sent["ts"])): 21.0}
    check(pipeline, witness, sent)


def test_two_sensors_of_one_type_in_one_nanosecond_are_two_points(
    pipeline: Stack, witness: Subscriber, sensor: str
) -> None:
    sent = [{**reading(sensor), "sensor_id": f"{sensor}-{i}", "value": i} for i in range(3)]
    sent = [{**one, "ts": sent[0]["ts"]} for one in sent]
    assert post(pipeline.collector, sent)[0] == 201
    check(pipeline, witness, *sent)


def test_the_same_reading_posted_twice_is_one_point(
    pipeline: Stack, witness: Subscriber, sensor: str
) -> None:
    sent = reading(sensor)
    for _ in range(2):
        assert post(pipeline.collector, sent, query="?ack=stored")[0] == 201
    assert len(points(pipeline.influx, sensor)) == 1
    assert len([h for h in witness.heard() if f"/{sensor}/" in h.topic]) == 2
