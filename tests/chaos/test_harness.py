"""The harness itself: the checker finds each violation, ledger, devices and stub do their work."""

import contextlib
import random
from collections.abc import Iterator
from http.client import HTTPConnection, RemoteDisconnected

import pytest

from tests.chaos.books import Books
from tests.chaos.checker import Findings, check
from tests.chaos.devices import Devices, Request, rfc3339
from tests.chaos.influx_stub import Answer, InfluxStub, Slow
from tests.chaos.ledger import Ledger, LedgerFullError, PostOutcome, Reading
from tests.stack import Influx, free_port

NOW = 1_790_000_000_123_456_789


@pytest.fixture(scope="module")
def influx(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Influx]:
    with Influx(tmp_path_factory.mktemp("influx")) as service:
        yield service


@pytest.fixture
def empty(influx: Influx) -> Influx:
    influx.query("DROP DATABASE iot")
    influx.query("CREATE DATABASE iot")
    return influx


def line(reading: Reading, value: float | None = None, ns: int = 0) -> str:
    """Return line protocol for a reading, with another value or `ns` later if given."""
    stored = reading.value if value is None else value
    return f"data,sensor_id=7,type=temp value={stored!r} {reading.time_ns + ns}"


def four_readings() -> tuple[Ledger, list[Reading]]:
    ledger = Ledger()
    series = ledger.series_of(7, "temp")
    readings = [ledger.attempt(series, NOW - n * 10**9, n / 3) for n in range(4)]
    ledger.record(readings[:2], PostOutcome.ACKNOWLEDGED)
    ledger.record(readings[2:3], PostOutcome.REFUSED)
    ledger.record(readings[3:], PostOutcome.UNKNOWN)
    return ledger, readings


def findings_after(ledger: Ledger, influx: Influx, lines: list[str]) -> Findings:
    influx.write(lines)
    return check(ledger, influx_port=influx.port)


def test_acknowledged_readings_that_are_stored_are_clean(empty: Influx) -> None:
    ledger, (first, second, _, unknown) = four_readings()
    assert findings_after(ledger, empty, [line(first), line(second)]).clean
    assert findings_after(ledger, empty, [line(unknown)]).clean


def test_each_violation_is_found(empty: Influx) -> None:
    ledger, (first, second, refused, _) = four_readings()
    findings = findings_after(ledger, empty, [line(first)])
    assert findings.counts == {"lost": 1}
    findings = findings_after(ledger, empty, [line(second), line(refused)])
    assert findings.counts == {"refused but stored": 1}
    findings = findings_after(ledger, empty, [line(first, value=first.value + 1e-15)])
    assert findings.counts == {"refused but stored": 1, "corrupted": 1}
    findings = findings_after(
        ledger, empty, [line(first, ns=1), "data,sensor_id=8,type=temp value=1 5"]
    )
    assert findings.counts == {"refused but stored": 1, "corrupted": 1, "unexpected": 2}
    assert "VIOLATED" in str(findings)


def test_a_timestamp_off_by_a_nanosecond_is_lost_and_unexpected(empty: Influx) -> None:
    ledger, (first, second, *_) = four_readings()
    findings = findings_after(ledger, empty, [line(first), line(second, ns=-1)])
    assert findings.counts == {"lost": 1, "unexpected": 1}


def test_books_that_do_not_balance_are_found(empty: Influx) -> None:
    ledger, (first, second, *_) = four_readings()
    empty.write([line(first), line(second)])
    wrong = {
        Books(3, 2, 0, 0): "not balanced",
        Books(1, 1, 0, 0): "fewer accepted than acknowledged",
        Books(4, 4, 0, 0): "more accepted than posted",
        Books(3, 1, 2, 0): "valid readings rejected",
    }
    for books, reason in wrong.items():
        findings = check(ledger, influx_port=empty.port, books=books)
        assert findings.counts["books"], reason
    assert check(ledger, influx_port=empty.port, books=Books(3, 3, 0, 0)).clean


def test_a_reading_has_the_highest_outcome_of_its_posts() -> None:
    ledger, (first, _, refused, unknown) = four_readings()
    ledger.record([first, refused, unknown], PostOutcome.REFUSED)
    assert [r.outcome for r in (first, refused, unknown)] == [
        PostOutcome.ACKNOWLEDGED,
        PostOutcome.REFUSED,
        PostOutcome.UNKNOWN,
    ]


def test_the_ledger_is_bounded() -> None:
    ledger = Ledger(capacity=1)
    series = ledger.series_of("a", "b")
    ledger.attempt(series, NOW, 1.0)
    with pytest.raises(LedgerFullError):
        ledger.attempt(series, NOW, 1.0)


def test_timestamps_have_nanoseconds_and_any_offset() -> None:
    assert rfc3339(NOW, 0) == "2026-09-21T14:13:20.123456789Z"
    assert rfc3339(NOW - 789, 345) == "2026-09-21T19:58:20.123456+05:45"
    assert rfc3339(NOW // 10**9 * 10**9, -330) == "2026-09-21T08:43:20-05:30"


def test_devices_depend_only_on_the_seed_and_never_use_a_point_twice() -> None:
    def requests() -> list[Request]:
        devices = Devices(Ledger(), random.Random(7), now=lambda: NOW)
        return [devices.request() for _ in range(200)]

    first = requests()
    assert [r.headers for r in first] == [r.headers for r in requests()]
    points = [(r.series.key, r.time_ns) for request in first for r in request.readings]
    assert len(set(points)) == len(points)


@pytest.fixture
def stub(empty: Influx) -> Iterator[InfluxStub]:
    stub = InfluxStub(port=free_port(), upstream=empty.port)
    stub.start()
    yield stub
    stub.close()


LINE = b"data,sensor_id=1,type=t value=1 1"


def write(port: int, lines: int = 1) -> tuple[int, bytes]:
    connection = HTTPConnection("127.0.0.1", port, timeout=5)
    with contextlib.closing(connection):
        connection.request("POST", "/write?db=iot", b"\n".join([LINE] * lines))
        response = connection.getresponse()
        return response.status, response.read()


@pytest.mark.parametrize("status", [400, 401, 429, 500, 503])
def test_the_stub_responds_and_writes_nothing(stub: InfluxStub, empty: Influx, status: int) -> None:
    stub.mode = Answer(status, b"no")
    assert write(stub.port) == (status, b"no")
    assert empty.query("SELECT * FROM data") == []
    stub.mode = "pass"
    assert write(stub.port) == (204, b"")
    assert len(empty.query("SELECT * FROM data")) == 1


def test_the_stub_drops_the_response_but_not_the_point(stub: InfluxStub, empty: Influx) -> None:
    stub.mode = "drop"
    with pytest.raises(RemoteDisconnected):
        write(stub.port)
    assert len(empty.query("SELECT * FROM data")) == 1


def test_the_stub_is_slow_with_large_writes_only(stub: InfluxStub, empty: Influx) -> None:
    stub.mode = Slow(points=1, seconds=0.1)
    with pytest.raises(RemoteDisconnected):
        write(stub.port, lines=2)
    assert empty.query("SELECT * FROM data") == []
    assert write(stub.port) == (204, b"")


def test_the_stub_counts_the_lines_that_it_forwards(stub: InfluxStub) -> None:
    stub.counted = b"data,sensor_id=1,"
    write(stub.port, lines=3)
    with stub.held():
        assert write(stub.port)[0] == 503
    stub.counted = b"data,sensor_id=2,"
    write(stub.port)
    assert stub.written == {LINE: 3}
