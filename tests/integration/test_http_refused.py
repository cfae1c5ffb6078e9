"""POST /data: what is refused with which problem, and that nothing of it is kept."""

import gzip
import json
import time

import httpx
import pytest

from collector.intake.errors import MAX_READINGS
from tests.builders import ndjson, reading
from tests.integration.points import points, wait_points
from tests.integration.posting import JSON, NDJSON, STORED, metrics, problem, send
from tests.stack import Stack

VALID = {"type": "temp", "value": 1, "sensor_id": 1}


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"temp",
        b'{"type": "t", "value": NaN, "sensor_id": 1}',
        b"\xff",
        b'"\xff"',
        b"[" * 100_000,
        b"{}{}",
        b"[{}",
        b"\x1f\x8b",
        b'{"value": 1e}',
        b'{"type": "\\ud800", "value": 1, "sensor_id": 1}',
    ],
)
@pytest.mark.parametrize("form", [JSON, NDJSON])
def test_400_for_a_body_that_is_not_json(http: httpx.Client, body: bytes, form: str) -> None:
    detail = problem(send(http, body, form), 400)["detail"]
    assert detail.startswith("line 1 is not JSON: " if form == NDJSON else "the body is not JSON: ")


@pytest.mark.parametrize("body", [b"", b"  ", b"\n\n"])
@pytest.mark.parametrize("form", [JSON, NDJSON])
@pytest.mark.parametrize("path", ["/data", STORED])
def test_400_for_an_empty_body(http: httpx.Client, body: bytes, form: str, path: str) -> None:
    assert problem(send(http, body, form, path=path), 400)["detail"] == "the body is empty"


@pytest.mark.parametrize("body", [b"[]", b" [ ] "])
@pytest.mark.parametrize("path", ["/data", STORED])
def test_400_for_an_empty_batch(http: httpx.Client, body: bytes, path: str) -> None:
    assert problem(send(http, body, path=path), 400)["detail"] == "the body holds no reading"


def test_413_for_more_readings_than_are_taken_at_once(http: httpx.Client) -> None:
    many = [VALID] * (MAX_READINGS + 1)
    assert send(http, many[1:]).status_code == 201
    for body, form in ((many, JSON), (ndjson(many), NDJSON)):
        assert str(MAX_READINGS) in problem(send(http, body, form), 413)["detail"]


@pytest.mark.parametrize(
    "body",
    [b"", b"plain", gzip.compress(b"[]", mtime=0)[:-1], gzip.compress(b"[]", mtime=0) + b"rest"],
)
def test_400_for_a_body_that_is_not_gzip(http: httpx.Client, body: bytes) -> None:
    problem(send(http, body, headers={"Content-Encoding": "gzip"}), 400)


@pytest.mark.parametrize("query", ["ack=", "ack=never", "ack=stored&ack=stored", "other=1"])
def test_400_for_an_unknown_query(http: httpx.Client, query: str) -> None:
    members = problem(send(http, VALID, path=f"/data?{query}"), 400)
    assert "?ack=stored" in members["detail"]


def test_413_above_the_default_limit_of_8_mib(http: httpx.Client) -> None:
    body = json.dumps(VALID).encode().ljust(8 << 20)
    assert send(http, body).status_code == 201
    problem(send(http, body + b" "), 413)


@pytest.mark.parametrize(
    "content_type",
    [
        "text/plain",
        "application/x-www-form-urlencoded",
        "",
        "application/json; charset=latin-1",
        "application/jsonx",
        "application/cbor",
    ],
)
def test_415_for_another_media_type_with_a_hint(http: httpx.Client, content_type: str) -> None:
    members = problem(send(http, VALID, content_type), 415)
    assert "send Content-Type: application/json" in members["detail"]


@pytest.mark.parametrize("encoding", ["br", "deflate", "gzip, gzip", "zstd"])
def test_415_for_another_encoding(http: httpx.Client, encoding: str) -> None:
    members = problem(send(http, VALID, headers={"Content-Encoding": encoding}), 415)
    assert encoding in members["detail"]
    assert "gzip" in members["detail"]


@pytest.mark.parametrize("form", [JSON, NDJSON])
@pytest.mark.parametrize("zipped", [False, True])
def test_422_names_each_fault_and_none_of_the_batch_is_stored(
    pipeline: Stack, http: httpx.Client, sensor: str, form: str, *, zipped: bool
) -> None:
    ns = time.time_ns()
    batch = [reading(sensor, ns + i) for i in range(10)]
    batch[3] |= {"value": "warm", "extra": None}
    del batch[7]["type"]
    batch[8]["sensor_id"] = -1
    batch[9]["ts"] = "yesterday"
    before = metrics(http)["accepted"]
    body = batch if form == JSON else ndjson(batch)
    members = problem(send(http, body, form, zipped=zipped), 422)
    found = [(e["index"], e["field"], e.get("value")) for e in members["errors"]]
    assert sorted(found, key=str) == [
        (3, "extra", "null"),
        (3, "value", '"warm"'),
        (7, "type", None),
        (8, "sensor_id", "-1"),
        (9, "ts", '"yesterday"'),
    ]
    assert all(e["detail"] for e in members["errors"])
    first = members["errors"][0]
    assert {e.get("line") for e in members["errors"]} == (
        {4, 8, 9, 10} if form == NDJSON else {None}
    )
    place = "line 4" if form == NDJSON else "index 3"
    told = f"{first['field']} {first['value']} {first['detail']}; 5 faults in all"
    assert members["detail"] == f"nothing was stored: {place}: {told}"
    assert metrics(http)["accepted"] == before
    assert send(http, reading(sensor, ns + 99)).status_code == 201
    wait_points(pipeline.influx, sensor)
    assert points(pipeline.influx, sensor) == {("temp", ns + 99): 21.5}


FAULTS = [
    ("value", None), ("value", "1"), ("value", True), ("value", []), ("value", 10**400),
    ("type", None), ("type", 1), ("type", ""), ("type", "x" * 65), ("type", "a/b"),
    ("type", "a+b"), ("type", "a#b"), ("type", "$a"), ("type", "a\0"), ("type", "a\nb"),
    ("type", "a\u2028b"), ("type", "a\x7f"), ("type", "a\\"),
    ("sensor_id", None), ("sensor_id", 1.5), ("sensor_id", -1), ("sensor_id", 2**63),
    ("sensor_id", True), ("sensor_id", ""), ("sensor_id", "a/b"), ("sensor_id", [1]),
    ("ts", None), ("ts", 1795376087), ("ts", ""), ("ts", "2026-01-31"), ("ts", "2026-01-31T12:00Z"),
    ("ts", "2026-01-31T12:00:00"), ("ts", "2026-02-30T12:00:00Z"), ("ts", "2026-01-31T25:00:00Z"),
    ("ts", "2026-01-31T12:00:00.1234567890Z"), ("ts", "1969-12-31T23:59:59.999999999Z"),
    ("ts", "2100-01-01T00:00:00Z"), ("ts", "2262-04-11T23:47:16.854775807Z"),
    ("ts", "2016-12-31T23:59:60Z"), ("ts", "0000-01-01T00:00:00Z"),
    ("unit", "C"), ("id", "abc:1"),
]  # fmt: skip


@pytest.mark.parametrize(("field", "given"), FAULTS)
def test_422_names_the_field(http: httpx.Client, field: str, given: object) -> None:
    members = problem(send(http, {**VALID, field: given}), 422)
    (fault,) = members["errors"]
    assert (fault["index"], fault["field"]) == (0, field)
    inside = problem(send(http, [VALID, {**VALID, field: given}, VALID]), 422)
    assert [(e["index"], e["field"]) for e in inside["errors"]] == [(1, field)]


@pytest.mark.parametrize("given", [None, 1, "reading", True, [[]], [VALID, [VALID]], [None]])
def test_422_for_json_that_is_not_a_reading(http: httpx.Client, given: object) -> None:
    problem(send(http, given), 422)


def test_422_for_an_infinite_value(http: httpx.Client) -> None:
    body = b'{"type": "t", "value": 1e400, "sensor_id": 1}'
    (fault,) = problem(send(http, body), 422)["errors"]
    assert fault["field"] == "value"


@pytest.mark.parametrize("second", [rb'{"type": "\ud800"}', rb'{"\udfff": 1}', b'{"value": NaN}'])
def test_a_fault_beside_invalid_unicode_or_nan_is_a_problem(
    http: httpx.Client, second: bytes
) -> None:
    response = send(http, b'[{"value": true}, ' + second + b"]")
    assert response.status_code in {400, 422}
    problem(response, response.status_code)


def test_422_lists_the_first_hundred_faults(http: httpx.Client) -> None:
    faults = problem(send(http, [VALID] * 5 + [{}] * 200), 422)["errors"]
    assert len(faults) == 100
    assert [faults[0]["index"], faults[-1]["index"]] == [5, 38]


def test_422_shortens_the_value_it_shows(http: httpx.Client) -> None:
    (fault,) = problem(send(http, {**VALID, "value": "x" * 10**5}), 422)["errors"]
    assert len(fault["value"]) <= 101


def test_400_for_a_member_twice(http: httpx.Client) -> None:
    body = b'{"type":"t","value":1,"value":2,"sensor_id":1}'
    for sent, form in ((body, JSON), (b"[" + body + b"]", JSON), (body, NDJSON)):
        assert "'value'" in problem(send(http, sent, form), 400)["detail"]


def test_422_for_a_value_too_small_to_be_kept(http: httpx.Client) -> None:
    body = b'[{"type":"t","value":0.0,"sensor_id":1},{"type":"t","value":1e-400,"sensor_id":1}]'
    (fault,) = problem(send(http, body), 422)["errors"]
    assert (fault["index"], fault["field"], fault["value"]) == (1, "value", "1e-400")


ENDPOINTS = ["/data", "/healthz", "/readyz", "/metrics", "/docs", "/openapi.json"]


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
@pytest.mark.parametrize("path", ENDPOINTS)
def test_405_for_another_method_names_the_one_that_works(
    http: httpx.Client, path: str, method: str
) -> None:
    allowed = ["POST"] if path == "/data" else ["GET", "HEAD"]
    response = http.request(method, path)
    if method in allowed:
        assert response.status_code != 405
        return
    assert response.headers["allow"] == ", ".join(allowed)
    assert response.status_code == 405
    if method != "HEAD":
        assert f"send {allowed[0]} {path}" in problem(response, 405)["detail"]


@pytest.mark.parametrize(
    ("path", "meant"),
    [
        ("/data/", "POST /data"),
        ("/Data", "POST /data"),
        ("//data", "POST /data"),
        ("/data/1", "POST /data"),
        ("/health", "GET /healthz"),
        ("/openapi", "GET /openapi.json"),
        ("/api/v1/write", ""),
        ("/" + "x" * 1000, ""),
    ],
)
def test_404_for_another_path_tells_what_there_is(
    http: httpx.Client, path: str, meant: str
) -> None:
    detail = problem(http.post(f"{http.base_url}{path}", json=VALID), 404)["detail"]
    assert detail.startswith(f"there is no {path[:100]}")
    assert all(endpoint in detail for endpoint in ENDPOINTS)
    assert (f"Did you mean {meant}?" in detail) if meant else ("Did you" not in detail)
