"""The apparatus itself: each violation turns the checker red, each fault does what it says."""

import contextlib
import random
from collections.abc import Iterator
from http.client import HTTPConnection, RemoteDisconnected

import pytest

from tests.chaos.books import Books
from tests.chaos.checker import Findings, check
from tests.chaos.devices import Devices, Request, rfc3339
from tests.chaos.influx_stub import InfluxStub, Mood
from tests.chaos.ledger import Ledger, LedgerFullError, Reading, Verdict
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
    kept = reading.value if value is None else value
    return f"data,sensor_id=7,type=temp value={kept!r} {reading.time_ns + ns}"


def four() -> tuple[Ledger, list[Reading]]:
    ledger = Ledger()
    series = ledger.series_of(7, "temp")
    readings = [ledger.attempt(series, NOW - n * 10**9, n / 3) for n in range(4)]
    ledger.settle(readings[:2], Verdict.ACKNOWLEDGED)
    ledger.settle(readings[2:3], Verdict.REFUSED)
    ledger.settle(readings[3:], Verdict.UNKNOWN)
    return ledger, readings


def found(ledger: Ledger, influx: Influx, lines: list[str]) -> Findings:
    influx.write(lines)
    return check(ledger, influx_port=influx.port)


def test_what_was_acknowledged_and_is_there_is_clean(empty: Influx) -> None:
    ledger, (first, second, _, unknown) = four()
    assert found(ledger, empty, [line(first), line(second)]).clean
    assert found(ledger, empty, [line(unknown)]).clean


def test_each_violation_is_found(empty: Influx) -> None:
    ledger, (first, second, refused, _) = four()
    findings = found(ledger, empty, [line(first)])
    assert findings.counts == {"lost": 1}
    findings = found(ledger, empty, [line(second), line(refused)])
    assert findings.counts == {"refused but stored": 1}
    findings = found(ledger, empty, [line(first, value=first.value + 1e-15)])
    assert findings.counts == {"refused but stored": 1, "corrupted": 1}
    findings = found(ledger, empty, [line(first, ns=1), "data,sensor_id=8,type=temp value=1 5"])
    assert findings.counts == {"refused but stored": 1, "corrupted": 1, "phantom": 2}
    assert "VIOLATED" in str(findings)


def test_a_reading_off_by_a_nanosecond_is_lost_and_a_phantom(empty: Influx) -> None:
    ledger, (first, second, *_) = four()
    findings = found(ledger, empty, [line(first), line(second, ns=-1)])
    assert findings.counts == {"lost": 1, "phantom": 1}


def test_books_that_do_not_balance_are_found(empty: Influx) -> None:
    ledger, (first, second, *_) = four()
    empty.write([line(first), line(second)])
    wrong = {
        Books(3, 2, 0, 0): "does not balance",
        Books(1, 1, 0, 0): "forgets an acknowledged one",
        Books(4, 4, 0, 0): "more than was posted",
        Books(3, 1, 2, 0): "rejects what is good",
    }
    for books, why in wrong.items():
        findings = check(ledger, influx_port=empty.port, books=books)
        assert findings.counts["books"], why
    assert check(ledger, influx_port=empty.port, books=Books(3, 3, 0, 0)).clean


def test_of_several_posts_the_highest_verdict_holds() -> None:
    ledger, (first, _, refused, unknown) = four()
    ledger.settle([first, refused, unknown], Verdict.REFUSED)
    assert [r.verdict for r in (first, refused, unknown)] == [
        Verdict.ACKNOWLEDGED,
        Verdict.REFUSED,
        Verdict.UNKNOWN,
    ]


def test_the_ledger_is_bounded() -> None:
    ledger = Ledger(capacity=1)
    series = ledger.series_of("a", "b")
    ledger.attempt(series, NOW, 1.0)
    with pytest.raises(LedgerFullError):
        ledger.attempt(series, NOW, 1.0)


def test_times_are_written_to_the_nanosecond_with_any_offset() -> None:
    assert rfc3339(NOW, 0) == "2026-09-21T14:13:20.123456789Z"
    assert rfc3339(NOW - 789, 345) == "2026-09-21T19:58:20.123456+05:45"
    assert rfc3339(NOW // 10**9 * 10**9, -330) == "2026-09-21T08:43:20-05:30"


def test_devices_repeat_from_their_seed_and_never_use_a_point_twice() -> None:
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


def write(port: int) -> tuple[int, bytes]:
    connection = HTTPConnection("127.0.0.1", port, timeout=5)
    with contextlib.closing(connection):
        connection.request("POST", "/write?db=iot", b"data,sensor_id=1,type=t value=1 1")
        response = connection.getresponse()
        return response.status, response.read()


@pytest.mark.parametrize("mood", [401, 429, 500, 503])
def test_the_stub_answers_and_writes_nothing(stub: InfluxStub, empty: Influx, mood: Mood) -> None:
    stub.mood = mood
    assert write(stub.port) == (mood, b"")
    assert empty.query("SELECT * FROM data") == []
    stub.mood = "pass"
    assert write(stub.port) == (204, b"")
    assert len(empty.query("SELECT * FROM data")) == 1


def test_the_stub_loses_the_answer_and_not_the_point(stub: InfluxStub, empty: Influx) -> None:
    stub.mood = "lose"
    with pytest.raises(RemoteDisconnected):
        write(stub.port)
    assert len(empty.query("SELECT * FROM data")) == 1
