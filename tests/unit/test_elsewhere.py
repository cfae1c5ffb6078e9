"""Corrections that went through another outbox of the same directory."""

import asyncio
import errno
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Protocol, Self, cast

import pytest

from collector.audit import examiner
from collector.audit.compare import Audit
from collector.audit.examiner import Examiner, Missing
from collector.audit.read_back import ReadBack, Span, Values
from collector.outbox import elsewhere as module
from collector.outbox.elsewhere import Elsewhere, correction
from collector.outbox.outbox import Outbox
from collector.outbox.row import Draft, Row
from collector.outbox.window import Window
from collector.publishing.replayer import Replayer
from telemetry.mqtt.temporary import TemporaryClient
from telemetry.receipt import Receipt, Rejection
from tests.unit.test_auditor import INFLUX
from tests.unit.test_replayer import Connection, stored

EARLIER, LATER = 1_000_000, 1_000_060
POINT, NS = "1/t", 7


class Add(Protocol):
    def __call__(
        self, number: int, at: int, *values: float, rejected: bool = False, pending: bool = False
    ) -> Outbox:
        """Make an outbox with readings of the point, stored or not, accepted at one time."""


@pytest.fixture
def add(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Add]:
    with ExitStack() as stack:

        def add(
            number: int, at: int, *values: float, rejected: bool = False, pending: bool = False
        ) -> Outbox:
            monkeypatch.setattr("collector.outbox.outbox.time.time", lambda: at)
            path = tmp_path / (f"outbox-{number}.db" if number > 1 else "outbox.db")

            async def fill() -> Outbox:
                outbox = Outbox(path, max_bytes=1 << 30, keep_s=1e9)
                stack.callback(outbox.close)
                drafts = [Draft(POINT, NS, b'{"value":%r}' % value) for value in values]
                await outbox.append([*drafts, Draft(POINT, NS + 1, b'{"value":0}')])
                return outbox

            outbox = asyncio.run(fill())
            seqs = range(1, len(values) + 1)
            why = [Rejection(seq, "too old") for seq in seqs] if rejected else []
            stored = [] if why or pending else [(1, outbox.last)]
            outbox.settle(Receipt(stored, why, outbox.run))
            outbox.commit()
            return outbox

        yield add


def rows(outbox: Outbox) -> list[Row]:
    return outbox.read(1, 1, 1)


def elsewhere(outbox: Outbox) -> Elsewhere:
    return Elsewhere(outbox.path, outbox.path.with_name("outbox.db"))


def corrected(outbox: Outbox, found: object = None) -> float | None:
    """Return the value that replaced the first reading's in another outbox."""
    [row] = rows(outbox)
    later = correction(elsewhere(outbox).last([row]), row, found)
    return later.value if later else None


def test_the_last_reading_of_the_outbox_that_accepted_it_last_counts(add: Add) -> None:
    first = add(1, EARLIER, 1.0)
    second = add(2, LATER, 2.0, 3.0)
    add(3, LATER + 1, 4.0, rejected=True)
    assert corrected(first) == 3.0
    assert corrected(second) is None, "control: that is the last one"
    add(4, LATER + 1, 5.0)
    assert (corrected(first), corrected(second)) == (5.0, 5.0)


def test_of_one_second_that_one_is_later_which_influxdb_has(add: Add) -> None:
    first, second = add(1, EARLIER, 1.0), add(2, EARLIER, 2.0)
    assert [corrected(first, found) for found in (2.0, 3.0, None)] == [2.0, None, None]
    assert [corrected(second, found) for found in (1.0, 3.0, None)] == [1.0, None, None]


def test_what_cannot_be_read_is_left_out(
    add: Add, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = add(1, EARLIER, 1.0)
    (tmp_path / "outbox-2.db").write_bytes(b"no outbox" * 1000)
    (tmp_path / "outbox-3.db").touch()
    add(4, LATER, 2.0)
    assert corrected(first) == 2.0

    def failing(_: Path) -> list[Path]:
        raise OSError(errno.EMFILE, "too many open files")

    monkeypatch.setattr(module, "originals", failing)
    assert corrected(first) is None


def test_a_copy_is_left_out(add: Add, tmp_path: Path) -> None:
    first = add(1, EARLIER, 1.0)
    second = add(2, EARLIER, 1.0)
    copy = tmp_path / "outbox-4.db"
    with closing(sqlite3.connect(first.path)) as db:
        db.execute("VACUUM INTO ?", [str(copy)])
    with closing(sqlite3.connect(copy)) as db, db:
        db.execute("UPDATE reading SET at = ?", [LATER])
    assert (corrected(first), corrected(second)) == (None, None)
    with closing(sqlite3.connect(copy)) as db, db:
        db.execute("UPDATE outbox SET id = 'another'")
    assert (corrected(first), corrected(second)) == (1.0, 1.0), "the control"


def test_millions_of_readings_of_a_point_are_not_kept(
    add: Add, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = add(1, EARLIER, 1.0), add(2, LATER, *map(float, range(1000)))
    alive = most = 0

    class Counted(Row):
        def __new__(cls, seq: int, at: int, ns: int, series: str, payload: bytes) -> Self:
            nonlocal alive, most
            alive += 1
            most = max(most, alive)
            return super().__new__(cls, seq, at, ns, series, payload)

        def __del__(self) -> None:
            nonlocal alive
            alive -= 1

    monkeypatch.setattr(module, "Row", Counted)
    assert corrected(first) == 999.0
    [row] = rows(second)
    assert elsewhere(first).earlier([(row._replace(at=LATER + 1), 7.0)]) == {1}
    assert 0 < most < 10


class Held(ReadBack):
    """An InfluxDB in which the point has one value, or is absent, and all others are right."""

    def __init__(self, value: float | None) -> None:
        super().__init__(INFLUX)
        self.value = value

    def kept_since(self) -> int:
        return 0

    def values(self, spans: Sequence[Span]) -> Iterator[tuple[Span, Values]]:
        held: Mapping[int, float | None] = {NS: self.value, NS + 1: 0.0}
        for span in spans:
            yield span, {ns: value for ns, value in held.items() if value is not None}


def audited(outbox: Outbox, value: float | None) -> tuple[int, int, list[str]]:
    """Return how many readings are superseded and missing, and what is said of the former."""
    with Window(outbox.path, 0) as window:
        audit = Audit(window, Held(value), elsewhere(outbox))
        result = audit.run(lambda _: None)
    return result.superseded, result.missing, list(map(str, audit.superseded))


def test_an_audit_counts_them_as_superseded(add: Add) -> None:
    first, second = add(1, EARLIER, 1.0), add(2, LATER, 2.0)
    said = ["1/t at 1970-01-01T00:00:00.000000007Z: 2.0 replaced 1.0"]
    assert audited(first, 2.0) == (1, 0, said)
    assert audited(second, 2.0) == (0, 0, [])
    assert audited(second, 1.0) == (0, 1, []), "control: an earlier value is no correction"
    assert audited(first, None)[:2] == (0, 1), "control: neither is there"


def examined(outbox: Outbox, value: float | None, monkeypatch: pytest.MonkeyPatch) -> Missing:
    """Return what an auditor finds missing."""
    monkeypatch.setattr(examiner, "ReadBack", lambda *_: Held(value))
    return Examiner(outbox.path, INFLUX, elsewhere(outbox)).examine(1, 9, 9).missing


def missing(outbox: Outbox, value: float | None, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    return examined(outbox, value, monkeypatch).seqs


@pytest.mark.parametrize("value", [3.0, None])
def test_the_auditor_heals_no_value_that_was_corrected_elsewhere(
    add: Add, monkeypatch: pytest.MonkeyPatch, value: float | None
) -> None:
    first = add(1, EARLIER, 1.0, 2.0)  # the second corrects the first, so it might be healed
    assert missing(first, value, monkeypatch) == [2], "control"
    second = add(2, LATER, 3.0)
    assert missing(first, value, monkeypatch) == []
    assert missing(second, value, monkeypatch) == ([] if value else [1])


def test_the_auditor_heals_the_value_of_an_earlier_reading_elsewhere(
    add: Add, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(1, EARLIER, 1.0)
    second, third = add(2, LATER, 2.0), add(3, LATER, 3.0, rejected=True)
    assert examined(second, 1.0, monkeypatch) == Missing([], [1], [])
    assert examined(second, 9.0, monkeypatch) == Missing([], [], [1]), "control: of nobody here"
    assert examined(second, 3.0, monkeypatch) == Missing([], [], [1]), "nor of one rejected"
    third.settle(Receipt([(1, 2)], run=third.run))
    third.commit()
    assert examined(second, 3.0, monkeypatch).seqs == [], "control: it may be the later one"


def test_the_auditor_heals_what_a_correction_elsewhere_does_not_replace_after_all(
    add: Add, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = add(1, EARLIER, 1.0), add(2, LATER, 2.0, pending=True)
    assert missing(first, None, monkeypatch) == [1], "nobody knows yet"
    assert missing(first, 2.0, monkeypatch) == [], "control"
    second.settle(Receipt(rejected=[Rejection(1, "too old")], run=second.run))
    second.commit()
    assert missing(first, None, monkeypatch) == [1]
    second.settle(Receipt([(1, 2)], run=second.run))
    second.commit()
    assert missing(first, None, monkeypatch) == [], "control: stored, and the other's to heal"


def sent(outbox: Outbox) -> list[int]:
    """Return the numbers that a replay of the outbox sends."""
    connection = Connection(outbox.run, stored)
    with Window(outbox.path, 0) as window:
        sender = Replayer(cast("TemporaryClient", connection), window, elsewhere(outbox))
        asyncio.run(sender.send(window.stored(), lambda _: None))
    return [number for _, number in connection.sent]


def test_a_replay_sends_the_correction_behind_the_reading(add: Add) -> None:
    first = add(1, EARLIER, 1.0, 2.0)
    assert sent(first) == [1, 2, 2, 3], "control"
    second = add(2, LATER, 3.0)
    assert sent(first) == [1, 1, 2, 1, 3, 2], "each with the number that it has there"
    assert sent(second) == [1, 2]
