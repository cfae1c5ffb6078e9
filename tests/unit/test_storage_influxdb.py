"""Records read back by an independent parser and by InfluxDB's rules; failed requests."""

import asyncio
import math
import socket
import sys
import threading
from collections.abc import Iterator, Sequence
from http.server import BaseHTTPRequestHandler, HTTPServer
from unittest.mock import Mock

import pytest
import requests
from hypothesis import assume, given
from hypothesis import strategies as st
from influxdb import InfluxDBClient
from influxdb.exceptions import InfluxDBClientError, InfluxDBServerError
from line_protocol_parser import parse_line

from bridge.storage import Outcome, Result
from bridge.storage.copies import Copies
from bridge.storage.influxdb import InfluxStorage
from telemetry.reading import MAX_VALUE, series
from telemetry.settings import ConnectionSettings
from telemetry.timestamp import MAX_NS, MIN_NS
from tests.unit.messages import LABELS

VALUES = st.floats(allow_nan=False, allow_infinity=False) | st.integers(
    -int(MAX_VALUE), int(MAX_VALUE)
)
TIMES = st.integers(MIN_NS, MAX_NS)
STORAGE = InfluxStorage(ConnectionSettings().influx)  # connects only when it writes


def unescaped(tags: str) -> list[str]:
    """Read measurement and tags as InfluxDB does: models/points.go, scanTagsValue, unescapeTag.

    A delimiter counts unless the character before it is a backslash; then , = and space lose
    theirs. A backslash before anything else is an ordinary character.
    """
    parts, start = [], 0
    for at, character in enumerate(tags):
        if character in ",= " and tags[at - 1] != "\\":
            parts.append(tags[start:at])
            start = at + 1
    parts.append(tags[start:])
    return [part.replace("\\,", ",").replace("\\=", "=").replace("\\ ", " ") for part in parts]


@given(LABELS | st.integers(0, 2**63 - 1), LABELS, VALUES, TIMES)
def test_an_independent_parser_reads_the_same(
    sensor_id: int | str, type_: str, value: float, ns: int
) -> None:
    # That parser refuses subnormal numbers, as strtod reports them as out of range; InfluxDB's
    # strconv.ParseFloat does not.
    assume(value == 0 or abs(value) >= sys.float_info.min)
    # It takes a backslash before a backslash for an escape; InfluxDB does not.
    assume("\\\\" not in f"{sensor_id} {type_}")
    assume(not any(f"\\{escaped}" in f"{sensor_id}/{type_}" for escaped in ", ="))
    parsed = parse_line(STORAGE.reading(series(sensor_id, type_), value, ns))
    assert parsed == {
        "measurement": "data",
        "tags": {"sensor_id": str(sensor_id), "type": type_},
        "fields": {"value": float(value)},
        "time": ns,
    }


@given(LABELS, LABELS)
def test_tags_are_read_back_by_the_rules_of_influxdb(sensor_id: str, type_: str) -> None:
    tags, _, _ = STORAGE.reading(series(sensor_id, type_), 1, 0).rpartition("value=1 0")
    assert unescaped(tags) == ["data", "sensor_id", sensor_id, "type", type_, ""]


@given(VALUES)
def test_a_value_is_written_to_the_last_digit(value: float) -> None:
    head, _, text = STORAGE.reading("1/t", value, 0).partition(" value=")
    written = text.removesuffix(" 0")
    assert head == "data,sensor_id=1,type=t"
    assert float(written) == float(value)
    assert math.copysign(1, float(written)) == math.copysign(1, value)
    assert written[-1] != "i"  # which would make it an integer


@pytest.mark.parametrize(
    ("value", "text"),
    [(25, "25"), (25.0, "25.0"), (-0.0, "-0.0"), (1e300, "1e+300"), (1e-7, "1e-07")],
)
def test_values_as_influxdb_reads_them(value: float, text: str) -> None:
    assert STORAGE.reading("1/t", value, -5) == f"data,sensor_id=1,type=t value={text} -5"


@given(
    LABELS,
    st.dictionaries(st.from_regex(r"[a-z_]+", fullmatch=True), st.integers(-5, 2**62), min_size=1),
)
def test_counters_are_read_back(instance: str, counters: dict[str, int]) -> None:
    assume("\\" not in instance)
    assert parse_line(STORAGE.counters("bridge", instance, counters, 7)) == {
        "measurement": "pipeline",
        "tags": {"instance": instance, "service": "bridge"},
        "fields": counters,
        "time": 7,
    }


@pytest.mark.parametrize(
    ("service", "instance", "counter"),
    [("", "i", "n"), ("s", "$i", "n"), ("s", "i\n", "n"), ("s", "i", "a b"), ("s", "i", "n=1,b")],
)
def test_counters_with_unfit_names_are_refused(service: str, instance: str, counter: str) -> None:
    with pytest.raises(ValueError, match="plain names"):
        STORAGE.counters(service, instance, {counter: 1}, 7)


@pytest.fixture
def storage() -> Iterator[InfluxStorage]:
    storage = InfluxStorage(ConnectionSettings().influx)
    yield storage
    storage.close()


def raising(monkeypatch: pytest.MonkeyPatch, method: str, error: Exception) -> None:
    monkeypatch.setattr(InfluxDBClient, method, Mock(side_effect=error))


FAILURES = [
    (
        InfluxDBClientError(b'{"error":"unable to parse x"}\n', 400),
        Result(Outcome.REJECTED, "unable to parse x"),
    ),
    (InfluxDBClientError(b"<html>\xff", 400), Result(Outcome.WAIT, "400 <html>\ufffd")),
    (InfluxDBClientError('{"error":"no"}', 401), Result(Outcome.WAIT, "401 no")),
    (InfluxDBClientError("[]", 413), Result(Outcome.FAILED, "413 []")),
    (InfluxDBClientError("gone"), Result(Outcome.WAIT, "gone")),
    (InfluxDBServerError(b'{"error":"timeout"}'), Result(Outcome.FAILED, "500 timeout")),
    (requests.ReadTimeout("Read timed out."), Result(Outcome.FAILED, "no answer: not in time")),
    (requests.ConnectionError("cut"), Result(Outcome.WAIT, "no answer: cut")),
]


@pytest.mark.parametrize(("error", "expected"), FAILURES)
def test_a_failed_write_is_a_result(
    storage: InfluxStorage, monkeypatch: pytest.MonkeyPatch, error: Exception, expected: Result
) -> None:
    raising(monkeypatch, "write", error)
    assert asyncio.run(storage.write(["data value=1 1"])) == expected


@pytest.mark.parametrize("status", [400, 401, 403, 404, 413, 500])
def test_a_database_that_cannot_be_created_is_waited_for(
    storage: InfluxStorage, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    raising(monkeypatch, "query", InfluxDBClientError('{"error":"no"}', status))
    created = asyncio.run(storage.create())
    assert (created.outcome, created.detail) == (Outcome.WAIT, f"{status} no")


def test_what_succeeds_is_stored(storage: InfluxStorage, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[Sequence[str]] = []
    monkeypatch.setattr(InfluxDBClient, "query", Mock())
    monkeypatch.setattr(InfluxDBClient, "get_list_retention_policies", lambda *_: [])
    monkeypatch.setattr(
        InfluxDBClient, "write", lambda _, lines, *_args, **_options: written.append(lines)
    )
    assert asyncio.run(storage.create()) == Result(Outcome.STORED)
    assert asyncio.run(storage.write(["data value=1 1"])) == Result(Outcome.STORED)
    assert written == [["data value=1 1"]]


def test_a_cluster_is_told_how_many_copies_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    asked, policy = Mock(), {"name": "autogen", "default": True, "replicaN": 1, "duration": "48h"}
    written: list[dict[str, str]] = []
    monkeypatch.setattr(InfluxDBClient, "query", asked)
    monkeypatch.setattr(InfluxDBClient, "get_list_retention_policies", lambda *_: [policy])
    monkeypatch.setattr(InfluxDBClient, "write", lambda *args, **_: written.append(args[2]))
    storage = InfluxStorage(ConnectionSettings().influx, copies=Copies(3, "quorum"))
    asyncio.run(storage.create())
    asyncio.run(storage.write(["data value=1 1"]))
    assert [call.args[0] for call in asked.call_args_list[-2:]] == [
        'CREATE DATABASE "iot" WITH REPLICATION 3',
        'ALTER RETENTION POLICY "autogen" ON "iot" REPLICATION 3',
    ]
    assert written == [{"db": "iot", "consistency": "quorum"}]
    storage.close()


class Stores(BaseHTTPRequestHandler):
    """Answers every write as InfluxDB does when it has stored it."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Log nothing."""


class IPv6Server(HTTPServer):
    address_family = socket.AF_INET6


def test_influxdb_at_an_ipv6_address_is_reached() -> None:
    with IPv6Server(("::1", 0), Stores) as server:
        threading.Thread(target=server.handle_request, daemon=True).start()
        access = ConnectionSettings(influx_host="::1", influx_port=server.server_port).influx
        storage = InfluxStorage(access)
        assert asyncio.run(storage.write(["data value=1 1"])) == Result(Outcome.STORED)
        storage.close()
