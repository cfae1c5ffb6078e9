"""The newest timestamp of each series: only that reading is retained by the broker."""

import sqlite3
import time
from collections.abc import Iterable

# How often it is written down. What came later is found in the rows, which stay until then; with
# 10,000 series each commit would have to write thousands.
_SAVE_S = 5.0


class Newest:
    """Nanoseconds by topic, of everything that is committed."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        (self.saved_to,) = db.execute("SELECT series_to FROM outbox").fetchone()
        self._saved_at = time.monotonic()
        self._known: dict[str, int] = dict(db.execute("SELECT topic, newest FROM series"))
        rows = "SELECT topic, max(ns) FROM reading WHERE seq > ? GROUP BY topic"
        self._unsaved = self.among(db.execute(rows, [self.saved_to]))
        self._known |= self._unsaved

    def holds(self, topic: str, ns: int) -> bool:
        """Return whether no later reading of the series has been committed."""
        return ns >= self._known.get(topic, ns)

    def among(self, readings: Iterable[tuple[str, int]]) -> dict[str, int]:
        """Return the newest of these readings, where they are newer than what is known."""
        newer: dict[str, int] = {}
        for topic, ns in readings:
            if self.holds(topic, ns):
                newer[topic] = max(ns, newer.get(topic, ns))
        return newer

    def learn(self, newer: dict[str, int]) -> None:
        """Take what `among` has found: it is committed."""
        self._known |= newer
        self._unsaved |= newer

    def save(self, last: int, *, now: bool) -> None:
        """Write down, `now` or when it is time, what is known: of readings up to number `last`."""
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
