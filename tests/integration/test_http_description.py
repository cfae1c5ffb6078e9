"""GET /openapi.json agrees with what the collector does."""

import sys
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import httpx
import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate

import telemetry
from collector.http.elsewhere import METHODS
from tests.builders import Json, ndjson
from tests.integration.posting import NDJSON, PROBLEM, STORED, problem, send

VALID = {"type": "temp", "value": 1, "sensor_id": 1}
ACCEPTED: list[Any] = [
    VALID,
    [VALID, VALID],
    {**VALID, "value": -0.5},
    {**VALID, "value": 1e300},
    {**VALID, "sensor_id": 0},
    {**VALID, "sensor_id": 2**63 - 1},
    {**VALID, "sensor_id": "x" * 64},
    {**VALID, "type": "x" * 64},
    {**VALID, "type": "é 1,=\\\"'$ ."},
    {**VALID, "type": "日本"},
    {**VALID, "type": "-"},
    {**VALID, "type": "😀"},
    {**VALID, "value": sys.float_info.max},
    {**VALID, "value": 5e-324},
    {**VALID, "ts": "2026-01-31T12:00:00.123456789+01:00"},
    {**VALID, "ts": "1970-01-01T00:00:00Z"},
    {**VALID, "ts": "2024-02-29T23:59:59-23:59"},
]
VALUES: list[Any] = [None, "1", True, [], {}, 2**1024, -(2**1024)]
TYPES: list[Any] = [None, 1, "", "x" * 65, "a/b", "+", "a#", "$x", "a\n", "a\tb", "\x7f", "ab\\"]
SENSOR_IDS: list[Any] = [None, True, -1, 1.5, 2**63, "", "a/b", "$", []]
TYPES += ["a\u00ad", "\u200b", "\ue000", "\uffff", "\U000e0001", "\U0010ffff"]
TIMES: list[Any] = [None, 1, "", "now", "2026-01-31", "2026-01-31T12:00:00"]
TIMES += ["2026-02-30T12:00:00Z", "2026-01-31T12:00:00.1234567890Z", "2016-12-31T23:59:60Z"]
TIMES += ["1969-12-31T12:00:00Z", "1970-01-01T00:00:00+01:00", "2100-01-01T00:00:00Z"]
WRONG = [
    {**VALID, field: given}
    for field, some in (
        ("value", VALUES),
        ("type", TYPES),
        ("sensor_id", SENSOR_IDS),
        ("ts", TIMES),
    )
    for given in some
]
REFUSED: list[Any] = [
    None,
    1,
    "temp",
    {},
    [[]],
    [VALID, None],
    {**VALID, "unit": "C"},
    {"type": "temp", "value": 1},
    {"type": "temp", "sensor_id": 1},
    {"value": 1, "sensor_id": 1},
    *WRONG,
]


@pytest.fixture(scope="module")
def document(http: httpx.Client) -> Json:
    response = http.get("/openapi.json")
    assert response.status_code == 200
    described: Json = response.json()
    return described


def described_responses(document: Json) -> Json:
    found: Json = document["paths"]["/data"]["post"]["responses"]
    return found


def schema(document: Json) -> Draft202012Validator:
    content = document["paths"]["/data"]["post"]["requestBody"]["content"]
    return validator(document, content["application/json"]["schema"])


def validator(document: Json, described: Json) -> Draft202012Validator:
    """Return a validator of a schema that refers to the document's components."""
    whole = {**described, "components": document["components"]}
    return Draft202012Validator(whole, format_checker=Draft202012Validator.FORMAT_CHECKER)


def test_the_document_is_valid(document: Json) -> None:
    validate(document)


def test_every_endpoint_is_described(document: Json) -> None:
    assert document["paths"].keys() == METHODS.keys() - {"/docs", "/openapi.json"}
    assert document["paths"]["/data"].keys() == {"post"}


@pytest.mark.parametrize("body", ACCEPTED)
def test_the_schema_allows_what_is_accepted(
    http: httpx.Client, document: Json, body: object
) -> None:
    response = send(http, body)
    assert response.status_code == 201, response.text
    schema(document).validate(body)


@pytest.mark.parametrize("body", REFUSED)
def test_the_schema_forbids_what_is_refused(
    http: httpx.Client, document: Json, body: object
) -> None:
    problem(send(http, body), 422)
    assert not schema(document).is_valid(body)


def test_the_document_names_the_version(document: Json) -> None:
    assert document["info"]["version"] == telemetry.__version__


def test_every_operation_has_a_summary_and_describes_its_problems(document: Json) -> None:
    for path in document["paths"].values():
        for operation in path.values():
            assert operation["summary"]
            problems = {s: r for s, r in operation["responses"].items() if s >= "400"}
            assert problems.keys() >= {"400", "408", "429", "431", "501", "503"}
            for response in problems.values():
                assert response["content"].keys() == {PROBLEM}


def test_the_hour_of_the_request_bounds_ts(document: Json, http: httpx.Client) -> None:
    for offset in (timedelta(0), timedelta(hours=14), timedelta(hours=-12)):
        now = datetime.now(UTC).astimezone(timezone(offset)).isoformat()
        schema(document).validate({**VALID, "ts": now})
        assert send(http, {**VALID, "ts": now}).status_code == 201
    later = (datetime.now(UTC) + timedelta(days=2)).isoformat()
    assert not schema(document).is_valid({**VALID, "ts": later})
    assert send(http, {**VALID, "ts": later}).status_code == 422


def test_every_response_is_described(http: httpx.Client, document: Json) -> None:
    responses = [
        send(http, VALID),
        send(http, [VALID]),
        send(http, ndjson([VALID]), NDJSON),
        send(http, VALID, path=STORED),
        send(http, b"{"),
        send(http, VALID, path="/data?ack=x"),
        send(http, {}),
        send(http, VALID, "text/plain"),
        send(http, b" " * (8 << 20) + b" "),
        send(http, VALID, headers={"Origin": "https://evil.example"}),
    ]
    assert {response.status_code for response in responses} == {201, 400, 403, 413, 415, 422}
    for response in responses:
        media_type = response.headers["content-type"].partition(";")[0]
        content = described_responses(document)[str(response.status_code)]["content"]
        sent = response.text if media_type == "text/plain" else response.json()
        validator(document, content[media_type]["schema"]).validate(sent)


def test_every_status_of_the_contract_is_described(document: Json) -> None:
    described = described_responses(document)
    refused = {"400", "401", "403", "408", "413", "415", "422", "429", "431", "500", "501", "503"}
    assert described.keys() == {"201", "202", *refused}
    errors = [described[status]["content"] for status in described if status >= "400"]
    assert all(content.keys() == {PROBLEM} for content in errors)
    for status in ("429", "503"):
        assert "Retry-After" in described[status]["headers"]
