"""Other programs at the outbox's file, beside its collector."""

import asyncio
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from collector.outbox.books import Books, read_books
from collector.outbox.group_commit import OutboxBusy
from collector.outbox.outbox import Outbox
from collector.outbox.removal import discard_rejected, forget
from collector.outbox.row import Draft
from collector.outbox.schema import open_beside
from run.configuration import ROOT
from telemetry.receipt import Receipt, Rejection

ONE = b'{"value":1}'


class Rig:
    """An outbox with ten readings: of 1/t 1 to 4, of 2/t 5 to 8, of 2/u 9 and 10."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.loop = asyncio.new_event_loop()

        async def begin() -> Outbox:
            outbox = Outbox(path, max_bytes=1 << 30, keep_s=3600)
            series = ["1/t"] * 4 + ["2/t"] * 4 + ["2/u"] * 2
            await outbox.append([Draft(name, ns, ONE) for ns, name in enumerate(series)])
            return outbox

        self.outbox = self.loop.run_until_complete(begin())

    def append(self) -> tuple[int, int]:
        async def append() -> tuple[int, int]:
            return await self.outbox.append([Draft("1/t", 99, ONE)])

        return self.loop.run_until_complete(append())

    def settle(self, stored: list[tuple[int, int]], rejected: list[int]) -> None:
        rejections = [Rejection(seq, "too old") for seq in rejected]
        self.outbox.settle(Receipt(stored, rejections, self.outbox.run))
        self.outbox.commit()

    def kept(self) -> list[int]:
        return [row.seq for row in self.outbox.read(1, 99, 99)]


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    rig = Rig(tmp_path / "o.db")
    yield rig
    rig.outbox.close()
    rig.loop.close()


def test_while_another_program_writes_readings_are_refused_and_then_accepted(rig: Rig) -> None:
    with closing(sqlite3.connect(rig.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        rig.outbox.settle(Receipt([(1, 3)], run=rig.outbox.run))
        with pytest.raises(OutboxBusy):
            rig.append()
        rig.outbox.commit()  # what happens every second
        other.execute("ROLLBACK")
    assert rig.append() == (11, 11)
    assert read_books(rig.path) == Books(accepted=11, stored=3, rejected=0, pending=8)


def test_what_is_rejected_can_be_discarded(rig: Rig) -> None:
    rig.settle([(1, 4)], rejected=[5, 6, 7])
    assert discard_rejected(rig.path) == 3
    books = Books(accepted=10, stored=4, rejected=3, pending=3, discarded=3)
    assert read_books(rig.path) == books
    rig.outbox.commit()
    assert rig.outbox.books == books
    assert rig.outbox.reasons(1, 99) == []
    assert rig.kept() == [1, 2, 3, 4, 8, 9, 10]
    rig.settle([], rejected=[8])
    assert read_books(rig.path).rejected == 4


def test_stored_readings_can_be_forgotten(rig: Rig) -> None:
    rig.settle([(1, 2), (5, 6), (9, 9)], rejected=[7])
    removed, pending = forget(rig.path, lambda series, ns: series.startswith("2/") and ns < 9)
    assert (removed, pending) == (3, 1)  # 8 is pending, 10 not meant
    assert rig.kept() == [1, 2, 3, 4, 7, 8, 10]
    assert read_books(rig.path) == Books(accepted=10, stored=5, rejected=1, pending=4)


def test_what_is_forgotten_is_not_healed(rig: Rig) -> None:
    rig.settle([(1, 4)], rejected=[])
    forget(rig.path, lambda _, ns: ns == 1)  # number 2
    assert rig.outbox.reopening.heal([(1, 3)]) == [(1, 1), (3, 3)]
    assert rig.outbox.books == Books(accepted=10, stored=2, rejected=0, pending=8, healed=2)
    assert read_books(rig.path).unbalanced == 0
    assert forget(rig.path, lambda _, ns: ns == 0) == (0, 1), "it is pending again"


def test_the_reasons_of_a_rejection_are_known_while_another_program_writes(rig: Rig) -> None:
    with closing(sqlite3.connect(rig.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        rig.outbox.settle(Receipt([], [Rejection(3, "too old")], rig.outbox.run))
        rig.outbox.commit()  # in vain
        assert rig.outbox.reasons(1, 9) == [(3, "too old")]


def test_what_cannot_be_reopened_on_disk_stays_settled(rig: Rig) -> None:
    rig.settle([(1, 4)], rejected=[])
    rig.outbox.verify(1, 4)
    with closing(sqlite3.connect(rig.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        for reopen in (lambda: rig.outbox.reopening.reopen([2]),
                       lambda: rig.outbox.reopening.heal([(1, 3)])):  # fmt: skip
            with pytest.raises(OutboxBusy):
                reopen()
            assert rig.outbox.pending == 6
    assert rig.outbox.reopening.reopen([2, 7]) == [2], "7 is pending already"
    assert forget(rig.path, lambda _, ns: ns == 1) == (0, 1), "it is pending on disk, too"
    assert read_books(rig.path).unbalanced == 0


def test_scattered_losses_are_healed_with_one_commit(rig: Rig) -> None:
    rig.settle([(1, 10)], rejected=[])
    statements: list[str] = []
    rig.outbox._db.set_trace_callback(statements.append)  # noqa: SLF001
    assert rig.outbox.reopening.heal([(n, n) for n in (1, 3, 5, 7)]) == [
        (1, 1),
        (3, 3),
        (5, 5),
        (7, 7),
    ]
    assert statements.count("COMMIT") == 1


def test_of_many_all_that_are_meant_are_removed(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("collector.outbox.removal._CHUNK_ROWS", 2)
    rig.settle([(1, 3)], rejected=[4, 5, 6, 9])
    assert forget(rig.path, lambda _, ns: ns != 1) == (2, 3)  # 1 and 3; 7, 8, 10 are pending


def test_a_discard_that_is_under_way_is_taken_over_as_far_as_it_has_come(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig.settle([(1, 3)], rejected=[4, 5, 6, 9])
    with closing(sqlite3.connect(rig.path)) as other, other:
        other.execute("DELETE FROM rejected WHERE seq < 6")
    rig.outbox.commit()
    assert dict(rig.outbox.reasons(1, 9)).keys() == {6, 9}
    assert 6 in rig.outbox.settlement.rejections
    monkeypatch.setattr("collector.outbox.removal._CHUNK_ROWS", 1)
    assert discard_rejected(rig.path) == 2
    rig.outbox.commit()
    assert not rig.outbox.reasons(1, 9)
    assert rig.kept() == [1, 2, 3, 4, 5, 7, 8, 10]


def test_what_was_given_up_and_is_forgotten_is_no_longer_counted(rig: Rig) -> None:
    rig.settle([(1, 4)], rejected=[])
    rig.outbox.verification.give_up([2])
    forget(rig.path, lambda _, ns: ns == 1)
    rig.outbox.commit()
    assert not rig.outbox.verification.given_up
    assert rig.outbox.verification.waiting == 4, "it looks again"


def test_a_correction_named_twice_is_reopened_once(rig: Rig) -> None:
    rig.settle([(1, 4)], rejected=[])
    assert rig.outbox.reopening.reopen([3, 2, 3]) == [2, 3]


@pytest.mark.parametrize(
    "keeps",
    [
        True,
        pytest.param(
            False,
            marks=pytest.mark.skipif(
                sqlite3.sqlite_version_info >= (3, 47), reason="SQLite keeps its locks itself"
            ),
        ),
    ],
)
def test_a_look_in_the_collectors_own_process_keeps_its_locks(rig: Rig, keeps: bool) -> None:
    """Without them another program that ends deletes the log that the collector writes."""
    if keeps:
        open_beside(rig.path).close()
    else:  # control
        rig.path.open("rb").close()
    look = f"open_beside(Path({str(rig.path)!r}), mode='rw').close()"
    program = f"from collector.outbox.schema import *; {look}"
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True)
    assert rig.path.with_name(rig.path.name + "-wal").exists() == keeps
