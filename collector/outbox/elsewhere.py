"""Readings of the same points in the other outboxes of a directory."""

import json
import sqlite3
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import closing, suppress
from pathlib import Path
from typing import TypeVar

from collector.outbox.outboxes import originals
from collector.outbox.row import Row
from collector.outbox.schema import OutboxUnusable, open_beside

# Few enough that the other collector can truncate its write-ahead log.
_CHUNK_ROWS = 100_000

# Which readings count, in SQL.
NOT_REJECTED = "seq NOT IN (SELECT seq FROM rejected)"
STORED = (
    "seq NOT IN (SELECT seq FROM rejected)"
    " AND seq <= (SELECT max(last) FROM settled WHERE first <= reading.seq)"
)
_IS_STORED = """
SELECT ? <= (SELECT max(last) FROM settled WHERE first <= ?)
    AND NOT EXISTS (SELECT 1 FROM rejected WHERE seq = ?)
"""
# The table of the series may be some seconds old.
_NEWEST = """
SELECT topic, newest FROM series UNION ALL
SELECT topic, max(ns) FROM reading WHERE seq > (SELECT series_to FROM outbox) GROUP BY topic
"""

T = TypeVar("T")
Origin = tuple[str, int]
"""The id of an outbox, and the number of a reading there."""
Point = tuple[str, int]
Last = Mapping[Point, Sequence[Row]]
"""By series and timestamp (ns), the last reading of each outbox that has one."""


class Elsewhere:
    """All outboxes of a directory but one, of which `first` is the path of the first."""

    def __init__(self, own: Path, first: Path) -> None:
        self._own = own
        self._first = first

    def others(self) -> list[Path]:
        """Return their paths, without copies, which nobody uses; none while they cannot be told."""
        try:
            return [path for path in originals(self._first) if path != self._own]
        except OSError:  # too many files are open; an auditor must not end for that
            return []

    def last(self, rows: Collection[Row], which: str = NOT_REJECTED) -> Last:
        """Return the last readings of the rows' points that were not accepted before all of them.

        `which` of them count: NOT_REJECTED or STORED. Takes some 0.3 s for each million
        readings in other outboxes, which have no index of their points, so it is asked about many
        rows at once.
        """
        found: dict[Point, list[Row]] = defaultdict(list)
        since = min((row.at for row in rows), default=0)
        for last in self._readings(set(map(_point, rows)), since, which, _last):
            for point, row in last.items():
                found[point].append(row)
        return found

    def earlier(self, differing: Sequence[tuple[Row, object]]) -> set[int]:
        """Return the numbers of the rows whose point has an earlier value of another outbox.

        Each row comes with the value that InfluxDB has. Takes as long as `last`.
        """
        by_point: dict[Point, list[tuple[Row, object]]] = defaultdict(list)
        for row, found in differing:
            by_point[_point(row)].append((row, found))

        def earlier(readings: Iterator[Row]) -> set[int]:
            return {
                row.seq
                for other in readings
                for row, found in by_point[_point(other)]
                if other.at < row.at and other.value == found
            }

        return set().union(*self._readings(by_point.keys(), 0, NOT_REJECTED, earlier))

    def stored(self, origins: Collection[Origin]) -> set[Origin]:
        """Return which of these readings InfluxDB has stored; they may have been pruned since."""
        found: set[Origin] = set()
        for path in self.others() if origins else ():
            with suppress(OutboxUnusable, sqlite3.Error), closing(open_beside(path)) as db:
                (own,) = db.execute("SELECT id FROM outbox").fetchone()
                for outbox, seq in origins:
                    if outbox == own and db.execute(_IS_STORED, [seq] * 3).fetchone()[0]:
                        found.add((outbox, seq))
        return found

    def newest(self) -> dict[str, int]:
        """Return the newest timestamp (ns) of each series in other outboxes."""
        found: dict[str, int] = {}
        for path in self.others():
            with suppress(OutboxUnusable, sqlite3.Error), closing(open_beside(path)) as db:
                for series, ns in db.execute(_NEWEST):
                    found[series] = max(ns, found.get(series, ns))
        return found

    def _readings(
        self, points: AbstractSet[Point], since: int, which: str, of: Callable[[Iterator[Row]], T]
    ) -> Iterator[T]:
        """Yield what `of` makes of the readings of these points, accepted since, in each outbox.

        There may be millions, of a device whose clock stands still: it must not keep them.
        """
        timestamps = json.dumps(sorted({ns for _, ns in points}))
        for path in self.others() if points else ():
            # One that cannot be read says so where it is in use.
            with suppress(OutboxUnusable, sqlite3.Error), closing(open_beside(path)) as db:
                found = _with_timestamps(db, timestamps, since, which)
                yield of(row for row in found if _point(row) in points)


def correction(last: Last, row: Row, found: object = None) -> Row | None:
    """Return the reading that replaced a row's value through another outbox, if there is one.

    Of two accepted in one second nobody knows which was later, unless InfluxDB has `found`.
    """
    later = [
        other
        for other in last.get((row.series, row.ns), ())
        if other.at > row.at or (other.at == row.at and found is not None and other.value == found)
    ]
    return max(later, key=lambda other: other.at, default=None)


def origin(row: Row) -> Origin:
    """Return from which outbox a reading is, by its payload."""
    return row.payload.removeprefix(b'{"id":"').partition(b".")[0].decode(), row.seq


def _point(row: Row) -> Point:
    return row.series, row.ns


def _last(readings: Iterator[Row]) -> dict[Point, Row]:
    return {_point(row): row for row in readings}


def _with_timestamps(db: sqlite3.Connection, ns: str, since: int, which: str) -> Iterator[Row]:
    """Yield the readings accepted since, by ascending sequence number; `ns` is a JSON array."""
    first, last = db.execute("SELECT min(seq), max(seq) FROM reading").fetchone()
    for start in range(first or 1, (last or 0) + 1, _CHUNK_ROWS):
        for fields in db.execute(
            "SELECT * FROM reading WHERE seq BETWEEN ? AND ? AND at >= ?"  # noqa: S608  ours
            f" AND ns IN (SELECT value FROM json_each(?)) AND {which} ORDER BY seq",
            [start, start + _CHUNK_ROWS - 1, since, ns],
        ):
            yield Row(*fields)
