"""The newest timestamp of each series, for what the broker retains and what may be a correction."""

import sqlite3
import time
from collections.abc import Iterable

from collector.outbox import late
from collector.outbox.row import Row

# How often the table is written. What came later is recovered from the rows, which are not pruned
# until then. Writing with each commit would mean thousands of rows per commit at 10,000 series.
_SAVE_S = 5.0
# How many series are forgotten at a time.
_MAX_FORGOTTEN = 2000
_S = 1_000_000_000


class Newest:
    """The newest timestamp (ns) by series, of everything that is committed and not forgotten."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        (self.saved_to,) = db.execute("SELECT series_to FROM outbox").fetchone()
        self._saved_at = time.monotonic()
        self._known: dict[str, int] = dict(db.execute("SELECT topic, newest FROM series"))
        self._unsaved: dict[str, int] = {}
        self._numbers: dict[str, int] = {}  # the last one's with that timestamp, since the start
        # For the series whose newest timestamp was ahead of the clock, the newest that is not, or
        # when that reading was accepted: one wrong timestamp must not keep the broker from
        # retaining the readings after it.
        now = time.time_ns()
        self._capped = {series: now for series, ns in self._known.items() if ns > now}
        rows = db.execute("SELECT * FROM reading WHERE seq > ? ORDER BY seq", [self.saved_to])
        self.learn(map(Row._make, rows))

    def __len__(self) -> int:
        return len(self._known)

    def __contains__(self, series: object) -> bool:
        return series in self._known

    def series(self) -> Iterable[str]:
        """Return the names of the series that are known."""
        return self._known

    def is_newest(self, row: Row) -> bool:
        """Return whether no later reading of its series has been committed."""
        series = row.series
        if series in self._capped:
            return _not_ahead(row) >= self._capped[series]
        return row.ns >= self._known.get(series, row.ns)

    def number_at(self, row: Row) -> int | None:
        """Return the number of the newest reading of the row's series, if its time is the row's.

        None, too, for one accepted before the start and saved.
        """
        is_same = self._known.get(row.series) == row.ns
        return self._numbers.get(row.series) if is_same else None

    def not_newer(self, rows: Iterable[Row]) -> list[Row]:
        """Return which of these new rows are not newer than all before them in their series."""
        newest: dict[str, int] = {}
        found = []
        for row in rows:
            series, ns = row.series, row.ns
            known = newest.get(series, self._known.get(series))
            if known is not None and ns <= known:
                found.append(row)
            else:
                newest[series] = ns
        return found

    def learn(self, rows: Iterable[Row]) -> None:
        """Take over rows that are committed."""
        known, unsaved, numbers = self._known, self._unsaved, self._numbers
        for row in rows:
            seq, at, ns, series, _ = row
            if ns > (at + 1) * _S or series in self._capped:
                self._cap(row)
            if ns >= known.get(series, ns):
                known[series] = unsaved[series] = ns
                numbers[series] = seq
            elif series not in unsaved:
                unsaved[series] = known[series]  # its rows must not be forgotten before they go

    def save(self, last: int, *, now: bool) -> None:
        """Write the table when it is due, or `now`; `last` is the last committed number.

        Series that are older than everything left are forgotten.
        """
        if not (now or time.monotonic() - self._saved_at >= _SAVE_S):
            return
        self._saved_at = time.monotonic()
        if last == self.saved_to and not now:
            return
        with self._db:
            self._db.execute("BEGIN IMMEDIATE")
            self._db.executemany(
                "INSERT INTO series VALUES (?, ?, ?)"
                " ON CONFLICT DO UPDATE SET newest = excluded.newest, seq = excluded.seq",
                [(series, ns, last) for series, ns in self._unsaved.items()],
            )
            self._db.execute("UPDATE outbox SET series_to = ?", [last])
            (oldest,) = self._db.execute("SELECT min(seq) FROM reading").fetchone()
            late.forget(self._db, oldest or last + 1)
            forgotten = self._db.execute(
                "SELECT topic FROM series WHERE seq < ? LIMIT ?",
                [oldest or last + 1, _MAX_FORGOTTEN],
            ).fetchall()
            self._db.executemany("DELETE FROM series WHERE topic = ?", forgotten)
        self.saved_to = last
        self._unsaved.clear()
        for (series,) in forgotten:
            self._known.pop(series, None)
            self._capped.pop(series, None)
            self._numbers.pop(series, None)

    def _cap(self, row: Row) -> None:
        series = row.series
        before = self._capped.get(series, self._known.get(series, 0))
        capped = max(before, _not_ahead(row))
        if capped >= max(row.ns, self._known.get(series, 0)):
            self._capped.pop(series, None)  # the clock has caught up
        else:
            self._capped[series] = capped


def _not_ahead(row: Row) -> int:
    """Return the timestamp, or when the reading was accepted if that is earlier."""
    return min(row.ns, (row.at + 1) * _S)
