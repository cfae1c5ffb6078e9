"""The newest timestamp of each series: the broker retains only that reading."""

import sqlite3
import time
from collections.abc import Iterable

# How often the table is written. What came later is recovered from the rows, which are not pruned
# until then. Writing with each commit would mean thousands of rows per commit at 10,000 series.
_SAVE_S = 5.0


class Newest:
    """The newest timestamp (ns) by series, of everything that is committed."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        (self.saved_to,) = db.execute("SELECT series_to FROM outbox").fetchone()
        self._saved_at = time.monotonic()
        self._known: dict[str, int] = dict(db.execute("SELECT topic, newest FROM series"))
        rows = "SELECT topic, max(ns) FROM reading WHERE seq > ? GROUP BY topic"
        self._unsaved = self.among(db.execute(rows, [self.saved_to]))
        self._known |= self._unsaved

    def is_newest(self, series: str, ns: int) -> bool:
        """Return whether no later reading of the series has been committed."""
        return ns >= self._known.get(series, ns)

    def among(self, readings: Iterable[tuple[str, int]]) -> dict[str, int]:
        """Return the newest timestamp by series of these readings, where it advances the known."""
        newer: dict[str, int] = {}
        for series, ns in readings:
            if self.is_newest(series, ns):
                newer[series] = max(ns, newer.get(series, ns))
        return newer

    def learn(self, newer: dict[str, int]) -> None:
        """Take over the result of `among`, once the readings are committed."""
        self._known |= newer
        self._unsaved |= newer

    def save(self, last: int, *, now: bool) -> None:
        """Write the table when it is due, or `now`; `last` is the last committed number."""
        if last == self.saved_to or not (now or time.monotonic() - self._saved_at >= _SAVE_S):
            return
        with self._db:
            self._db.execute("BEGIN IMMEDIATE")
            self._db.executemany(
                "INSERT INTO series VALUES (?, ?)"
                " ON CONFLICT DO UPDATE SET newest = excluded.newest",
                self._unsaved.items(),
            )
            self._db.execute("UPDATE outbox SET series_to = ?", [last])
        self.saved_to, self._saved_at = last, time.monotonic()
        self._unsaved.clear()
