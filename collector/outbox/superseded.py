"""Readings whose point holds the value of another one that was accepted later."""

import sqlite3
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from collector.outbox.newest import Newest
from collector.outbox.row import Row
from collector.outbox.schema import open_beside
from telemetry import timestamp
from telemetry.decode import Unreadable, boundary

# Beyond it, counting would take more than a second for a million rows.
_MAX_LATE = 1000
_MAX_LOOKED_AT = 100

_value = boundary(lambda row: row.value)


class Superseded(NamedTuple):
    """A value that was replaced, and the one that counts; `ns` is the timestamp of both."""

    series: str
    ns: int
    replaced: float
    counts: float

    def __str__(self) -> str:
        moment = timestamp.render(self.ns)
        return f"{self.series} at {moment}: {self.counts!r} replaced {self.replaced!r}"


def by_new_rows(
    db: sqlite3.Connection, newest: Newest, rows: Sequence[Row], late: Sequence[Row]
) -> list[Superseded]:
    """Return what new rows replace, of which `late` are not newer than all before them.

    That is known of two readings of one commit, and of one with the newest timestamp of its series.
    The same value again, of a device that sends again, replaces nothing. Only the first hundred
    late ones of a commit are looked at: each takes a query, while requests wait for the commit.
    """
    points = {(row.series, row.ns) for row in late[:_MAX_LOOKED_AT]}
    before: dict[tuple[str, int], Row] = {}
    found = []
    for row in rows if points else ():
        point = (row.series, row.ns)
        if point not in points:
            continue
        earlier = before.get(point) or _newest_before(db, newest, row)
        before[point] = row
        if earlier and (pair := _pair(earlier, row)):
            found.append(pair)
    return found


def in_outbox(path: Path) -> tuple[int | None, list[Superseded]]:
    """Return how many readings in an outbox's file are superseded, and the first five of them.

    Without those rejected. The number is None if so many came late that counting would take long.
    Raises OutboxUnusable.
    """
    db = open_beside(path)
    try:
        db.execute("BEGIN")
        (late,) = db.execute("SELECT count(*) FROM late").fetchone()
        if late > _MAX_LATE:
            return None, []
        found = _all(db)
        first = list(islice(found, 5))
        return len(first) + sum(1 for _ in found), first
    finally:
        db.close()


def _all(db: sqlite3.Connection) -> Iterator[Superseded]:
    """Yield those of the whole outbox; takes some 0.6 s for a million rows, if any came late."""
    rows = db.execute(
        "SELECT reading.*, (SELECT max(seq) FROM late WHERE topic = reading.topic"
        " AND ns = reading.ns AND seq NOT IN (SELECT seq FROM rejected)) FROM reading"
        " WHERE seq < (SELECT max(seq) FROM late) AND seq NOT IN (SELECT seq FROM rejected)"
        " AND EXISTS (SELECT 1 FROM late WHERE topic = reading.topic AND ns = reading.ns)"
    )
    for *fields, correction in rows:
        if correction is None or correction <= fields[0]:
            continue
        later = db.execute("SELECT * FROM reading WHERE seq = ?", [correction]).fetchone()
        if later and (pair := _pair(Row(*fields), Row(*later))):
            yield pair


def _newest_before(db: sqlite3.Connection, newest: Newest, row: Row) -> Row | None:
    """Return the newest reading of the row's series if it has the row's timestamp."""
    if (seq := newest.number_at(row)) is None:
        return None
    found = db.execute("SELECT * FROM reading WHERE seq = ?", [seq]).fetchone()
    return Row(*found) if found else None


def _pair(earlier: Row, later: Row) -> Superseded | None:
    """Return the two as one replacement, unless they have the same value."""
    # What follows the id is the same in a reading that was sent again.
    if earlier.payload.partition(b",")[2] == later.payload.partition(b",")[2]:
        return None
    try:
        replaced, counts = _value(earlier), _value(later)
    except Unreadable:  # a commit must not fail for that
        return None
    return Superseded(later.series, later.ns, replaced, counts) if replaced != counts else None
