"""Removes readings from an outbox's file on somebody's order, beside its running collector."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from collector.outbox import late
from collector.outbox.schema import open_beside
from telemetry.ranges import Ranges

# Few enough that the collector, which finds the file busy meanwhile, hardly notices.
_CHUNK_ROWS = 1000


def discard_rejected(path: Path) -> int:
    """Remove all rejected readings; return how many. Raises OutboxUnusable."""
    discarded = 0
    with closing(open_beside(path, mode="rw")) as db:
        while True:
            with _transaction(db):
                # The oldest first: so the collector knows which they are.
                rows = db.execute(
                    "SELECT seq FROM rejected ORDER BY seq LIMIT ?", [_CHUNK_ROWS]
                ).fetchall()
                for (seq,) in rows:
                    late.remove(db, seq, seq)
                db.executemany("DELETE FROM reading WHERE seq = ?", rows)
                db.executemany("DELETE FROM rejected WHERE seq = ?", rows)
                db.execute("UPDATE outbox SET discarded = discarded + ?", [len(rows)])
            discarded += len(rows)
            if not rows:
                return discarded


def forget(path: Path, is_meant: Callable[[str, int], bool]) -> tuple[int, int]:
    """Remove stored readings, so that they are neither audited nor replayed any more.

    `is_meant` gets series and timestamp (ns). Returns how many were removed, and how many are
    pending, and stay. Raises OutboxUnusable.
    """
    removed = pending = 0
    with closing(open_beside(path, mode="rw")) as db:
        for seqs in _meant(db, is_meant):
            with _transaction(db):
                span = [seqs[-1], seqs[0]]
                ranges = "SELECT first, last FROM settled WHERE first <= ? AND last >= ?"
                settled = Ranges(db.execute(ranges, span))
                members = "SELECT seq FROM rejected WHERE seq <= ? AND seq >= ?"
                rejected = {seq for (seq,) in db.execute(members, span)}
                stored = [[seq] for seq in seqs if seq in settled and seq not in rejected]
                db.executemany("DELETE FROM reading WHERE seq = ?", stored)
            removed += len(stored)
            pending += sum(seq not in settled for seq in seqs)
    return removed, pending


def _meant(db: sqlite3.Connection, is_meant: Callable[[str, int], bool]) -> Iterator[list[int]]:
    after = 0
    while rows := db.execute(
        "SELECT seq, topic, ns FROM reading WHERE seq > ? ORDER BY seq LIMIT ?",
        [after, _CHUNK_ROWS],
    ).fetchall():
        after = rows[-1][0]
        if seqs := [seq for seq, topic, ns in rows if is_meant(topic, ns)]:
            yield seqs


@contextmanager
def _transaction(db: sqlite3.Connection) -> Iterator[None]:
    with db:  # commits, or rolls back
        db.execute("BEGIN IMMEDIATE")
        yield
