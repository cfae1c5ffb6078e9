"""How old the oldest pending reading is, and how far back all that was accepted is here."""

import sqlite3
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, cast

import pytest

from collector.outbox.ages import Ages
from telemetry.ranges import Ranges

NOW = 1000


class Rig:
    """Readings accepted at given seconds, and those of them that are settled."""

    def __init__(self) -> None:
        self.db = sqlite3.connect(":memory:")
        self.db.executescript(
            "CREATE TABLE reading (seq INTEGER PRIMARY KEY, at INTEGER);"
            "CREATE TABLE outbox (pruned_at INTEGER); INSERT INTO outbox VALUES (0)"
        )
        self.settled = Ranges()
        settlement = SimpleNamespace(unsettled=self.settled.gaps)
        self.ages = Ages(self.db, cast("Any", settlement))

    def accept(self, *at: int) -> None:
        self.db.executemany("INSERT INTO reading (at) VALUES (?)", [(second,) for second in at])


@pytest.fixture
def rig(monkeypatch: pytest.MonkeyPatch) -> Iterator[Rig]:
    monkeypatch.setattr("collector.outbox.ages.time.time", lambda: NOW + 0.9)
    rig = Rig()
    yield rig
    rig.db.close()


def test_an_empty_outbox_has_no_ages(rig: Rig) -> None:
    assert (rig.ages.oldest_pending_s(0), rig.ages.reach_s()) == (0, 0)


def test_the_oldest_pending_is_the_first_without_a_receipt(rig: Rig) -> None:
    rig.accept(NOW - 50, NOW - 40, NOW - 30)
    assert rig.ages.oldest_pending_s(3) == 50
    rig.settled.add(1, 1)
    rig.settled.add(3, 3)
    assert rig.ages.oldest_pending_s(3) == 40
    rig.settled.add(2, 2)
    assert rig.ages.oldest_pending_s(3) == 0


def test_the_reach_ends_with_what_was_pruned_last(rig: Rig) -> None:
    rig.accept(NOW - 50, NOW - 40)
    assert rig.ages.reach_s() == 50
    rig.db.execute("UPDATE outbox SET pruned_at = ?", [NOW - 45])
    assert rig.ages.reach_s() == 45


def test_what_was_accepted_by_a_clock_ahead_has_no_negative_age(rig: Rig) -> None:
    rig.accept(NOW + 500)
    assert (rig.ages.oldest_pending_s(1), rig.ages.reach_s()) == (0, 0)
