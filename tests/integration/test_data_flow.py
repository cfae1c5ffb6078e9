"""A posted reading reaches MQTT subscribers and InfluxDB unchanged."""

import subprocess
import time
from collections.abc import Iterator

import httpx
import pytest

from telemetry import timestamp
from tests import builders
from tests.builders import Json, as_json, ndjson
from tests.integration.mosquitto_clients import Subscriber
from tests.integration.points import points
from tests.integration.posting import JSON, NDJSON, STORED, send
from tests.stack import Stack, wait_for

TYPES = ["température", "CO₂ (ppm)", " a  b ", "a,b=c", "x'y\"z", "\\back\\.", "not first $",
         "日本", "🌡", "%s{}${x}", "null", "-1", "a\u0301", "a&b;c|d>e", "x" * 64]  # fmt: skip
SENSORS = [0, 2**63 - 1, "kitchen", "Küche 2", "a,b=c d", "x'y\"z", "12.5", "007", "\\n", "*"]
VALUES = [0, -17.123456789012345, 1 / 3, 5e-324, -1.7976931348623157e308, 2**53 + 1]


@pytest.fixture(scope="module")
def subscriber(pipeline: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Subscriber]:
    """A mosquitto_sub that receives all readings."""
    directory = tmp_path_factory.mktemp("subscriber")
    with Subscriber(directory, pipeline.broker, "readings/#") as subscriber:
        yield subscriber


def reading(sensor_id: int | str, type_: str = "temp", value: float = 21) -> Json:
    """Return a reading of now whose time in nanoseconds a double cannot represent."""
    return builders.reading(sensor_id, time.time_ns() // 10 * 10 + 1, value, type_)


def check(pipeline: Stack, subscriber: Subscriber, *readings: Json) -> None:
    """Check that each reading was published once, as posted, and is in InfluxDB as posted."""
    for reading in readings:
        sensor, type_ = str(reading["sensor_id"]), reading["type"]
        topic, ts = f"readings/{sensor}/{type_}", reading["ts"]
        point = (type_, timestamp.parse(ts))
        wait_for(lambda: point in points(pipeline.influx, sensor), what=topic)  # noqa: B023
        assert points(pipeline.influx, sensor)[point] == float(reading["value"])
        payloads = [m.payload for m in subscriber.received() if m.topic == topic]
        (received,) = [payload for payload in payloads if payload["ts"] == ts]
        assert received.pop("id")
        assert received == reading
        assert list(received) == ["ts", "type", "value", "sensor_id"]
        assert type(received["value"]) is type(reading["value"])


@pytest.mark.parametrize("type_", TYPES)
def test_a_type_arrives_unchanged(
    pipeline: Stack, http: httpx.Client, subscriber: Subscriber, sensor: str, type_: str
) -> None:
    sent = reading(sensor, type_)
    response = send(http, as_json(sent))
    assert (response.status_code, response.text) == (201, "Created")
    check(pipeline, subscriber, sent)


@pytest.mark.parametrize("sensor_id", SENSORS)
def test_a_sensor_id_arrives_unchanged(
    pipeline: Stack, http: httpx.Client, subscriber: Subscriber, sensor_id: int | str
) -> None:
    sent = reading(sensor_id)
    response = send(http, as_json(sent))
    assert (response.status_code, response.text) == (201, "Created")
    check(pipeline, subscriber, sent)


@pytest.mark.parametrize("form", [JSON, NDJSON])
@pytest.mark.parametrize("zipped", [False, True])
def test_a_batch_arrives_unchanged(  # noqa: PLR0913
    pipeline: Stack,
    http: httpx.Client,
    subscriber: Subscriber,
    sensor: str,
    form: str,
    *,
    zipped: bool,
) -> None:
    sent = [reading(sensor, f"é{i}", value) for i, value in enumerate(VALUES)]
    sent += [reading(i) for i in range(5)]
    body = as_json(sent) if form == JSON else ndjson(sent)
    response = send(http, body, form, zipped=zipped)
    assert (response.status_code, response.text) == (201, f'{{"accepted":{len(sent)}}}')
    check(pipeline, subscriber, *sent)


def test_a_refused_batch_is_neither_published_nor_stored(
    pipeline: Stack, http: httpx.Client, subscriber: Subscriber, sensor: str
) -> None:
    batch = [reading(sensor), {**reading(sensor), "value": "x"}]
    assert send(http, batch).status_code == 422
    marker = reading(f"{sensor}-after")
    assert send(http, marker).status_code == 201
    check(pipeline, subscriber, marker)
    assert not points(pipeline.influx, sensor)
    assert not [m for m in subscriber.received() if f"/{sensor}/" in m.topic]


def test_with_ack_stored_the_point_is_in_influxdb_before_the_response(
    pipeline: Stack, http: httpx.Client, subscriber: Subscriber, sensor: str
) -> None:
    sent = reading(sensor)
    response = send(http, sent, path=STORED)
    assert (response.status_code, response.text) == (201, '{"accepted":1,"stored":true}')
    assert points(pipeline.influx, sensor) == {("temp", timestamp.parse(sent["ts"])): 21.0}
    check(pipeline, subscriber, sent)


def test_sensors_with_equal_types_and_timestamps_are_separate_points(
    pipeline: Stack, http: httpx.Client, subscriber: Subscriber, sensor: str
) -> None:
    sent = [{**reading(sensor), "sensor_id": f"{sensor}-{i}", "value": i} for i in range(3)]
    sent = [{**one, "ts": sent[0]["ts"]} for one in sent]
    assert send(http, sent).status_code == 201
    check(pipeline, subscriber, *sent)


def test_a_reading_posted_twice_is_published_twice_and_is_one_point(
    pipeline: Stack, http: httpx.Client, subscriber: Subscriber, sensor: str
) -> None:
    sent = reading(sensor)
    for _ in range(2):
        assert send(http, sent, path=STORED).status_code == 201
    assert len(points(pipeline.influx, sensor)) == 1
    wait_for(lambda: len([m for m in subscriber.received() if f"/{sensor}/" in m.topic]) == 2)


@pytest.mark.parametrize("count", [1, 100])
def test_readings_posted_by_curl_arrive_unchanged(
    pipeline: Stack, subscriber: Subscriber, sensor: str, count: int
) -> None:
    sent = [reading(sensor, f"é{i}") for i in range(count)]
    argv = ["curl", "--silent", "--show-error", "--noproxy", "*", "--max-time", "30"]
    argv += ["--header", f"Content-Type: {JSON}", "--data-binary", "@-"]
    argv += ["--write-out", "\n%{http_code}", f"{pipeline.collector.url}/data"]
    printed = subprocess.run(argv, input=as_json(sent), capture_output=True, check=True).stdout
    assert printed == b'{"accepted":%d}\n201' % count
    check(pipeline, subscriber, *sent)
