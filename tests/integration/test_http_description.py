"""GET /openapi.json agrees with what the collector does."""

import unicodedata
from typing import Any

import httpx
import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate

from telemetry.reading import label_fault
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
    {**VALID, "ts": "2026-01-31T12:00:00.123456789+01:00"},
]
VALUES: list[Any] = [None, "1", True, [], {}]
TYPES: list[Any] = [None, 1, "", "x" * 65, "a/b", "+", "a#", "$x", "a\n", "a\tb", "\x7f", "ab\\"]
SENSOR_IDS: list[Any] = [None, True, -1, 1.5, 2**63, "", "a/b", "$", []]
TIMES: list[Any] = [None, 1, "", "now", "2026-01-31", "2026-01-31T12:00:00"]
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
    checker = Draft202012Validator.FORMAT_CHECKER
    return Draft202012Validator(content["application/json"]["schema"], format_checker=checker)


def test_the_document_is_valid(document: Json) -> None:
    validate(document)


def test_every_endpoint_is_described(document: Json) -> None:
    assert document["paths"].keys() == {"/data", "/healthz", "/readyz", "/metrics"}
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


def test_the_schema_agrees_with_label_fault_on_each_character(document: Json) -> None:
    reading = schema(document).schema["anyOf"][0]
    described = Draft202012Validator(reading["properties"]["type"])
    for character in map(chr, [*range(0x3100), 0xD7FF, 0xFEFF, 0xFFFD, 0x1F600]):
        for label in (character, f"{character}x", f"x{character}"):
            fine = label_fault(label) is None
            only_in_prose = not fine and unicodedata.category(character) in {"Cf", "Cn", "Co"}
            assert described.is_valid(label) == (fine or only_in_prose), ascii(label)


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
    ]
    assert {response.status_code for response in responses} == {201, 400, 413, 415, 422}
    for response in responses:
        media_type = response.headers["content-type"].partition(";")[0]
        described = described_responses(document)[str(response.status_code)]["content"][media_type][
            "schema"
        ]
        sent = response.text if media_type == "text/plain" else response.json()
        Draft202012Validator(described).validate(sent)


def test_every_status_of_the_contract_is_described(document: Json) -> None:
    described = described_responses(document)
    refused = {"400", "401", "403", "408", "413", "415", "422", "431", "501", "503"}
    assert described.keys() == {"201", "202", *refused}
    errors = [described[status]["content"] for status in described if status >= "400"]
    assert all(content.keys() == {PROBLEM} for content in errors)
    assert "Retry-After" in described["503"]["headers"]
