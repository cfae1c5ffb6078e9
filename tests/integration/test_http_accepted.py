"""POST /data: what is accepted, in each of its forms, and its way to InfluxDB."""

import gzip
import time

import httpx
import pytest

from tests.integration.points import points, wait_points
from tests.integration.posting import JSON, NDJSON, ndjson, now_ns, reading, send
from tests.stack import Stack, wait_for

UTF8 = f"{JSON}; charset=utf-8"


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize("content_type", [JSON, UTF8, "APPLICATION/JSON;charset=UTF-8"])
def test_one_object_is_answered_with_created(
    pipeline: Stack, http: httpx.Client, sensor: str, content_type: str, *, zipped: bool
) -> None:
    ns = now_ns()
    answer = send(http, reading(sensor, ns, 0.1), content_type, zipped=zipped)
    assert (answer.status_code, answer.content) == (201, b"Created")
    assert answer.headers["content-type"].partition(";")[0] == "text/plain"
    assert wait_points(pipeline.influx, sensor) == {("temp", ns): 0.1}


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize("form", [JSON, NDJSON, f"{NDJSON}; charset=utf-8"])
def test_a_batch_is_answered_with_its_number(
    pipeline: Stack, http: httpx.Client, sensor: str, form: str, *, zipped: bool
) -> None:
    ns = now_ns()
    batch = [reading(sensor, ns + i, i / 7) for i in range(300)]
    body = batch if form == JSON else ndjson(batch)
    answer = send(http, body, form, zipped=zipped)
    assert (answer.status_code, answer.json()) == (201, {"accepted": 300})
    assert answer.headers["content-type"] == JSON
    held = wait_points(pipeline.influx, sensor, 300)
    assert held == {("temp", ns + i): i / 7 for i in range(300)}


@pytest.mark.parametrize(
    ("body", "form"), [(b"[]", JSON), (b" [ ] ", JSON), (b"", NDJSON), (b"\n\n", NDJSON)]
)
def test_a_batch_of_none_is_accepted(http: httpx.Client, body: bytes, form: str) -> None:
    answer = send(http, body, form)
    assert (answer.status_code, answer.json()) == (201, {"accepted": 0})


def test_ndjson_may_lack_the_last_end_of_line_and_have_empty_lines_and_carriage_returns(
    pipeline: Stack, http: httpx.Client, sensor: str
) -> None:
    ns = now_ns()
    first, second = (ndjson([reading(sensor, ns + i)])[:-1] for i in range(2))
    answer = send(http, first + b"\r\n\n" + second, NDJSON)
    assert answer.json() == {"accepted": 2}
    assert len(wait_points(pipeline.influx, sensor, 2)) == 2


def test_a_gzip_body_may_have_several_members(http: httpx.Client) -> None:
    batch = [reading("members", now_ns())]
    body = gzip.compress(ndjson(batch)) * 3
    answer = send(http, body, NDJSON, headers={"Content-Encoding": "gzip"})
    assert answer.json() == {"accepted": 3}


def test_without_a_content_type_json_is_assumed(http: httpx.Client) -> None:
    answer = http.post("/data", content=b'{"type": "t", "value": 1, "sensor_id": "bare"}')
    assert answer.status_code == 201


def test_without_ts_a_reading_gets_the_time_of_its_arrival(
    pipeline: Stack, http: httpx.Client, sensor: str
) -> None:
    before = time.time_ns()
    answer = send(http, {"type": "temp", "value": 1, "sensor_id": sensor})
    after = time.time_ns()
    assert answer.status_code == 201
    ((_, ns),) = wait_points(pipeline.influx, sensor)
    assert before <= ns <= after


@pytest.mark.parametrize(
    "value",
    [0, 1, -1, 2**53 + 1, 0.1, 1 / 3, 5e-324, 1.7976931348623157e308, -1e-7, 10**25, 1e22],
)
def test_a_value_is_stored_to_its_last_digit(
    pipeline: Stack, http: httpx.Client, sensor: str, value: float
) -> None:
    ns = now_ns()
    assert send(http, reading(sensor, ns, value)).status_code == 201
    assert wait_points(pipeline.influx, sensor) == {("temp", ns): float(value)}


@pytest.mark.parametrize(
    ("ts", "ns"),
    [
        ("2026-01-31T12:00:00Z", 1769860800_000000000),
        ("2026-01-31t12:00:00.5z", 1769860800_500000000),
        ("2026-01-31T12:00:00.123456789Z", 1769860800_123456789),
        ("2026-01-31 13:30:00+01:30", 1769860800_000000000),
        ("1677-09-21T00:12:43.145224194Z", -(2**63) + 2),
        ("2262-04-11T23:47:16.854775806Z", 2**63 - 2),
        ("1969-12-31T23:59:59.999999999Z", -1),
    ],
)
def test_a_timestamp_is_kept_to_the_nanosecond(
    pipeline: Stack, http: httpx.Client, sensor: str, ts: str, ns: int
) -> None:
    assert send(http, {**reading(sensor, 0), "ts": ts}).status_code == 201
    assert wait_points(pipeline.influx, sensor) == {("temp", ns): 21.5}


@pytest.mark.parametrize("sensor_id", [0, 2**63 - 1, "0", "s", "x" * 64, "é" * 64])
def test_a_sensor_id_at_the_edge_of_its_rule(
    pipeline: Stack, http: httpx.Client, sensor_id: int | str
) -> None:
    ns = now_ns()
    assert send(http, reading(sensor_id, ns)).status_code == 201
    wait_for(lambda: ("temp", ns) in points(pipeline.influx, str(sensor_id)))
