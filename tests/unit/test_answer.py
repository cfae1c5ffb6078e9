"""What each answer of InfluxDB means: STORED, REFUSED and the rest, as handler.go words them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.answer import Meaning, meaning

PARTIAL = "partial write: points beyond retention policy dropped=1"
CONFLICT = (
    'partial write: field type conflict: input field "value" on measurement "data" is type string'
)
TAGS = "partial write: max-values-per-tag limit exceeded (100000/100000) dropped=1"
SERIES = "partial write: max-series-per-database limit exceeded: (1000000) dropped=1"


@pytest.mark.parametrize(
    ("status", "message", "expected"),
    [
        (204, "", Meaning.STORED),
        (400, PARTIAL, Meaning.REFUSED),
        (400, CONFLICT, Meaning.REFUSED),
        (400, TAGS, Meaning.REFUSED),
        (400, SERIES, Meaning.REFUSED),
        (400, "unable to parse 'data value= 1': missing field value", Meaning.REFUSED),
        (
            400,
            "unable to parse 'data value=1 99999999999999999999': bad timestamp",
            Meaning.REFUSED,
        ),
        (404, 'database not found: "iot"', Meaning.NO_DATABASE),
        (404, "404 page not found", Meaning.WAIT),
        (413, "Request Entity Too Large", Meaning.TOO_LARGE),
        (401, "authorization failed", Meaning.WAIT),
        (401, "unable to parse authentication credentials", Meaning.WAIT),
        (403, '"writer" user is not authorized to write to database "iot"', Meaning.WAIT),
        (429, "too many requests", Meaning.WAIT),
        (500, "timeout", Meaning.WAIT),
        (500, "engine: cache-max-memory-size exceeded: (1073741824/1073741824)", Meaning.WAIT),
        (500, "retention policy not found: autogen", Meaning.WAIT),
        (502, "Bad Gateway", Meaning.WAIT),
        (503, "Service Unavailable", Meaning.WAIT),
        (504, "Gateway Timeout", Meaning.WAIT),
        (405, "Method Not Allowed", Meaning.WAIT),
        (301, "", Meaning.WAIT),
        (200, '{"error":"..."}', Meaning.WAIT),
        (0, "no answer: Connection refused", Meaning.WAIT),
    ],
)
def test_the_answers_of_influxdb(status: int, message: str, expected: Meaning) -> None:
    assert meaning(status, f'{{"error":"{message}"}}\n') is expected


@given(st.integers(0, 599).filter(lambda status: status not in {204, 400, 404, 413}), st.text())
def test_whatever_is_not_known_costs_no_reading(status: int, message: str) -> None:
    assert meaning(status, message) is Meaning.WAIT
