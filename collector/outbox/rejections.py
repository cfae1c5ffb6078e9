"""The readings that InfluxDB rejected, with its reasons."""

import sqlite3
from collections.abc import Sequence

from telemetry.ranges import Ranges


class Rejections:
    """The set of rejected sequence numbers in memory; `save` writes what has changed."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._seqs = Ranges(db.execute("SELECT seq, seq FROM rejected ORDER BY seq"))
        self._unsaved: list[tuple[str, Sequence[object]]] = []

    def __len__(self) -> int:
        return len(self._seqs)

    def add(self, seq: int, reason: str) -> None:
        """Add a reading; it is on disk after the next `save` and commit."""
        self._seqs.add(seq, seq)
        self._unsaved.append(("INSERT INTO rejected VALUES (?, ?)", (seq, reason)))

    def discard(self, first: int, last: int) -> None:
        """Remove first..last, as far as they are members: they were stored after all."""
        for a, b in list(self._seqs.within(first, last)):
            self._seqs.remove(a, b)
            self._unsaved.append(("DELETE FROM rejected WHERE seq BETWEEN ? AND ?", (a, b)))

    def reasons(self, first: int, last: int) -> list[tuple[int, str]]:
        """Return the members in first..last that are saved, with their reasons."""
        return self._db.execute(
            "SELECT seq, reason FROM rejected WHERE seq BETWEEN ? AND ?", [first, last]
        ).fetchall()

    def save(self) -> None:
        """Write the changes, within the caller's transaction."""
        for sql, parameters in self._unsaved:
            self._db.execute(sql, parameters)

    def saved(self) -> None:
        """Note that the transaction of the last `save` was committed."""
        self._unsaved.clear()
