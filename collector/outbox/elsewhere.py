"""Readings of the same points in the other outboxes of a directory."""

import json
import sqlite3
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, suppress
from pathlib import Path

from collector.outbox.outboxes import outboxes
from collector.outbox.row import Row
from collector.outbox.schema import OutboxUnusable, open_beside

# Few enough that the other collector can truncate its write-ahead log.
_CHUNK_ROWS = 100_000

Point = tuple[str, int]
Last = Mapping[Point, Sequence[Row]]
"""By series and timestamp (ns), the last reading of each outbox that has one."""


class Elsewhere:
    """All outboxes of a directory but one, of which `first` is the path of the first."""

    def __init__(self, own: Path, first: Path) -> None:
        self._own = own
        self._first = first

    def last(self, rows: Sequence[Row]) -> Last:
        """Return the last readings of the rows' points that were not accepted before all of them.

        Rejected ones do not count. Takes some 0.3 s for each million readings in other outboxes,
        which have no index of their points, so it is asked about many rows at once.
        """
        found: dict[Point, list[Row]] = defaultdict(list)
        for path in outboxes(self._first) if rows else ():
            # One that cannot be read says so where it is in use.
            with suppress(OutboxUnusable, sqlite3.Error):
                if path != self._own:
                    for point, row in _last(path, rows).items():
                        found[point].append(row)
        return found


def correction(last: Last, row: Row, found: object = None) -> Row | None:
    """Return the reading that replaced a row's value through another outbox, if there is one.

    Of two accepted in one second nobody knows which was later, unless InfluxDB has `found`.
    """
    later = [
        other
        for other in last.get((row.series, row.ns), ())
        if other.at > row.at or (other.at == row.at and other.value == found)
    ]
    return max(later, key=lambda other: other.at, default=None)


def _last(path: Path, rows: Sequence[Row]) -> dict[Point, Row]:
    points = {(row.series, row.ns) for row in rows}
    with closing(open_beside(path)) as db:
        return {
            (row.series, row.ns): row
            for row in _with_timestamps(db, {ns for _, ns in points}, min(row.at for row in rows))
            if (row.series, row.ns) in points
        }


def _with_timestamps(db: sqlite3.Connection, ns: set[int], since: int) -> Iterator[Row]:
    """Yield the readings accepted since, and not rejected, by ascending sequence number."""
    first, last = db.execute("SELECT min(seq), max(seq) FROM reading").fetchone()
    timestamps = json.dumps(sorted(ns))
    for start in range(first or 1, (last or 0) + 1, _CHUNK_ROWS):
        for fields in db.execute(
            "SELECT * FROM reading WHERE seq BETWEEN ? AND ? AND at >= ?"
            " AND ns IN (SELECT value FROM json_each(?))"
            " AND seq NOT IN (SELECT seq FROM rejected) ORDER BY seq",
            [start, start + _CHUNK_ROWS - 1, since, timestamps],
        ).fetchall():
            yield Row(*fields)
