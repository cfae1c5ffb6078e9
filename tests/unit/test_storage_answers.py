"""What the responses of InfluxDB, and of what stands before it, mean for the readings."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.storage import Outcome, Result
from bridge.storage.answers import result

BEYOND = "partial write: points beyond retention policy dropped=3"
OUTSIDE = (  # InfluxDB 1.12
    "partial write: dropped 3 points outside retention policy of duration 720h0m0s - oldest point "
    "data,sensor_id=1,type=t at 2020-01-01T00:00:00Z dropped because it violates a Retention Policy"
    " Lower Bound at 2026-10-26T00:00:00Z, newest point data at 2020-01-02T00:00:00Z dropped "
    "because it violates a Retention Policy Lower Bound at 2026-10-26T00:00:00Z dropped=3 "
    "for database: iot for retention policy: autogen"
)
WINDOW = OUTSIDE.replace("720h0m0s", "720h0m0s and 1 points outside write window (1h0m0s)")
CONFLICT = (
    'partial write: field type conflict: input field "value" on measurement "data" is type float, '
    "already exists as type integer dropped=2"
)
LYING = (  # the words of a sensor, in a limit of one shard
    "partial write: max-values-per-tag limit exceeded (5/5): "
    'measurement="data" tag="type" value="points beyond retention policy dropped=9" dropped=1'
)
SERIES = "partial write: max-series-per-database limit exceeded: (1000000) dropped=1"
UNPARSED = "unable to parse 'data value=1 99999999999999999999': bad timestamp"

REJECTED = [
    (400, BEYOND, 3, True),
    (400, OUTSIDE, 3, True),
    (400, WINDOW, 3, False),
    (400, CONFLICT, 2, False),
    (500, CONFLICT, 2, False),  # a cluster
    (400, LYING, 1, False),
    (400, SERIES, 1, False),
    (400, "field type conflict", None, False),
    (400, UNPARSED, None, False),
    (400, f"partial write: {UNPARSED} dropped=0", 0, False),
]
OTHERS = [
    (400, "partial write: shard 5 is pending deletion dropped=1", Outcome.FAILED),
    (400, "database is required", Outcome.WAIT),
    (404, 'database not found: "iot"', Outcome.NO_DATABASE),
    (404, "404 page not found", Outcome.WAIT),
    (413, "Request Entity Too Large", Outcome.FAILED),
    (401, "authorization failed", Outcome.WAIT),
    (401, "unable to parse authentication credentials", Outcome.WAIT),
    (403, '"writer" user is not authorized to write to database "iot"', Outcome.WAIT),
    (429, "too many requests", Outcome.WAIT),
    (500, "timeout", Outcome.FAILED),
    (500, "partial write", Outcome.FAILED),  # a cluster: too few of its nodes have it
    (500, BEYOND, Outcome.FAILED),
    (500, "engine: cache-max-memory-size exceeded: (1073741824/1073741824)", Outcome.FAILED),
    (500, "retention policy not found: autogen", Outcome.FAILED),
    (502, "Bad Gateway", Outcome.FAILED),
    (503, "Service Unavailable", Outcome.FAILED),
    (504, "Gateway Timeout", Outcome.FAILED),
    (405, "Method Not Allowed", Outcome.WAIT),
    (301, "moved", Outcome.WAIT),
    (200, "unable to parse", Outcome.WAIT),
    (0, "no answer: Connection refused", Outcome.WAIT),
]


def answer(error: str) -> str:
    return json.dumps({"error": error}) + "\n"


@pytest.mark.parametrize(("status", "error", "dropped", "oldest"), REJECTED)
def test_what_influxdb_calls_the_points_fault_is_rejected(
    status: int, error: str, dropped: int | None, oldest: bool
) -> None:
    assert result(status, answer(error)) == Result(Outcome.REJECTED, error, dropped, oldest)


@pytest.mark.parametrize(("status", "error", "expected"), OTHERS)
def test_every_other_answer_costs_no_reading(status: int, error: str, expected: Outcome) -> None:
    given = result(status, answer(error))
    assert given.outcome is expected
    assert given.detail == f"{status or ''} {error}".strip()


def test_stored() -> None:
    assert result(204, b"") == Result(Outcome.STORED)


@pytest.mark.parametrize("text", ["Client sent an HTTP request to an HTTPS server.", BEYOND, "[]"])
def test_a_400_that_is_not_influxdbs_own_is_waited_for(text: str) -> None:
    assert result(400, text) == Result(Outcome.WAIT, f"400 {text}")


def test_an_error_that_a_restart_of_influxdb_repairs_says_so() -> None:
    error = "engine: error writing WAL entry: write /wal/_00001.wal: file already closed"
    assert "once it is restarted" in result(500, answer(error)).detail


@given(st.integers(0, 599).filter(lambda status: status != 204), st.text() | st.binary())
def test_arbitrary_bodies_cost_no_reading(status: int, body: str | bytes) -> None:
    assert result(status, body).outcome in {Outcome.WAIT, Outcome.FAILED}


def test_deep_json_costs_no_reading() -> None:
    assert result(400, b'{"error":' + b"[" * 100_000).outcome is Outcome.WAIT
