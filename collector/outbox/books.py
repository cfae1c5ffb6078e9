"""The books: accepted = stored + rejected + pending."""

import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from collector.outbox.schema import open_beside
from telemetry.ranges import Ranges


class Books(NamedTuple):
    """How many readings were accepted since the outbox was created, and their states.

    Further counts: those found missing in InfluxDB and replayed (`healed`), those pruned before
    they were read back (`unverified`), and the rejected that are no longer kept (`discarded`).
    """

    accepted: int
    stored: int
    rejected: int
    pending: int
    healed: int = 0
    unverified: int = 0
    discarded: int = 0

    @property
    def unbalanced(self) -> int:
        """How many readings are unaccounted for; below 0, counted twice."""
        return self.accepted - self.stored - self.rejected - self.pending


def total(books: Iterable[Books]) -> Books:
    """Return the sum of the books of several outboxes."""
    return Books._make(map(sum, zip(*books, strict=True)))


def read_books(path: Path) -> Books:
    """Count in the outbox's file, beside the running collector; raises OutboxUnusable.

    Pending readings are counted by their rows, so that a lost row shows as an imbalance.
    """
    db = open_beside(path)
    try:
        db.execute("BEGIN")  # one snapshot for all counts
        return _count(db)
    finally:
        db.close()


def _count(db: sqlite3.Connection) -> Books:
    last, healed, unverified, discarded = db.execute(
        "SELECT last, healed, unverified, discarded FROM outbox"
    ).fetchone()
    (kept,) = db.execute("SELECT count(*) FROM rejected").fetchone()
    rejected = kept + discarded
    settled = Ranges(db.execute("SELECT first, last FROM settled ORDER BY first"))
    pending = sum(
        db.execute("SELECT count(*) FROM reading WHERE seq BETWEEN ? AND ?", gap).fetchone()[0]
        for gap in settled.gaps(1, last)
    )
    stored = len(settled) - rejected
    return Books(last, stored, rejected, pending, healed, unverified, discarded)
