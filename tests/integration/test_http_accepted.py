"""POST /data: each accepted form, and what InfluxDB stores of it."""

import gzip
import time

import httpx
import pytest

from tests.builders import ndjson, reading
from tests.integration.points import points, wait_points
from tests.integration.posting import JSON, NDJSON, send
from tests.stack import Stack, wait_for

UTF8 = f"{JSON}; charset=utf-8"


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize("content_type", [JSON, UTF8, "APPLICATION/JSON;charset=UTF-8"])
def test_a_single_reading_is_answered_with_created(
    pipeline: Stack, http: httpx.Client, sensor: str, content_type: str, *, zipped: bool
) -> None:
    ns = time.time_ns()
    response = send(http, reading(sensor, ns, 0.1), content_type, zipped=zipped)
    assert (response.status_code, response.content) == (201, b"Created")
    assert response.headers["content-type"].partition(";")[0] == "text/plain"
    assert wait_points(pipeline.influx, sensor) == {("temp", ns): 0.1}


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize("form", [JSON, NDJSON, f"{NDJSON}; charset=utf-8"])
def test_a_batch_is_answered_with_its_count(
    pipeline: Stack, http: httpx.Client, sensor: str, form: str, *, zipped: bool
) -> None:
    ns = time.time_ns()
    batch = [reading(sensor, ns + i, i / 7) for i in range(300)]
    body = batch if form == JSON else ndjson(batch)
    response = send(http, body, form, zipped=zipped)
    assert (response.status_code, response.json()) == (201, {"accepted": 300})
    assert response.headers["content-type"] == JSON
    stored = wait_points(pipeline.influx, sensor, 300)
    assert stored == {("temp", ns + i): i / 7 for i in range(300)}


def test_ndjson_may_have_crlf_and_empty_lines_and_lack_the_final_newline(
    pipeline: Stack, http: httpx.Client, sensor: str
) -> None:
    ns = time.time_ns()
    first, second = (ndjson([reading(sensor, ns + i)])[:-1] for i in range(2))
    response = send(http, first + b"\r\n\n" + second, NDJSON)
    assert response.json() == {"accepted": 2}
    assert len(wait_points(pipeline.influx, sensor, 2)) == 2


def test_a_gzip_body_may_have_several_members(http: httpx.Client) -> None:
    batch = [reading("members")]
    body = gzip.compress(ndjson(batch)) * 3
    response = send(http, body, NDJSON, headers={"Content-Encoding": "gzip"})
    assert response.json() == {"accepted": 3}


def test_without_a_content_type_json_is_assumed(http: httpx.Client) -> None:
    response = http.post("/data", content=b'{"type": "t", "value": 1, "sensor_id": "bare"}')
    assert response.status_code == 201


def test_a_reading_without_ts_gets_the_time_of_its_arrival(
    pipeline: Stack, http: httpx.Client, sensor: str
) -> None:
    before = time.time_ns()
    response = send(http, {"type": "temp", "value": 1, "sensor_id": sensor})
    after = time.time_ns()
    assert response.status_code == 201
    ((_, ns),) = wait_points(pipeline.influx, sensor)
    assert before <= ns <= after


@pytest.mark.parametrize(
    "value",
    [0, 1, -1, 2**53 + 1, 0.1, 1 / 3, 5e-324, 1.7976931348623157e308, -1e-7, 10**25, 1e22],
)
def test_a_value_is_stored_to_its_last_digit(
    pipeline: Stack, http: httpx.Client, sensor: str, value: float
) -> None:
    ns = time.time_ns()
    assert send(http, reading(sensor, ns, value)).status_code == 201
    assert wait_points(pipeline.influx, sensor) == {("temp", ns): float(value)}


@pytest.mark.parametrize(
    ("ts", "ns"),
    [
        ("2026-01-31T12:00:00Z", 1769860800_000000000),
        ("2026-01-31t12:00:00.5z", 1769860800_500000000),
        ("2026-01-31T12:00:00.123456789Z", 1769860800_123456789),
        ("2026-01-31 13:30:00+01:30", 1769860800_000000000),
        ("1970-01-01T00:00:00Z", 0),
    ],
)
def test_a_timestamp_is_kept_to_the_nanosecond(
    pipeline: Stack, http: httpx.Client, sensor: str, ts: str, ns: int
) -> None:
    assert send(http, {**reading(sensor, 0), "ts": ts}).status_code == 201
    assert wait_points(pipeline.influx, sensor) == {("temp", ns): 21.5}


@pytest.mark.parametrize("sensor_id", [0, 2**63 - 1, "0", "s", "x" * 64, "é" * 64])
def test_sensor_ids_at_their_bounds_are_accepted(
    pipeline: Stack, http: httpx.Client, sensor_id: int | str
) -> None:
    ns = time.time_ns()
    assert send(http, reading(sensor_id, ns)).status_code == 201
    wait_for(lambda: ("temp", ns) in points(pipeline.influx, str(sensor_id)))
