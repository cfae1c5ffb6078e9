"""The readings that were rejected, with the reasons."""

import sqlite3
from collections.abc import Iterator, Sequence

from telemetry.ranges import Ranges


class Rejections:
    """The set of rejected sequence numbers in memory; `save` writes what has changed.

    Those that were discarded are no longer in it.
    """

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._unsaved: list[tuple[str, Sequence[object]]] = []
        self._unsaved_reasons: dict[int, str] = {}
        self._seqs = Ranges(db.execute("SELECT seq, seq FROM rejected ORDER BY seq"))

    def __len__(self) -> int:
        return len(self._seqs)

    def __contains__(self, seq: int) -> bool:
        return seq in self._seqs

    def __iter__(self) -> Iterator[int]:
        return (seq for first, last in self._seqs for seq in range(first, last + 1))

    def forget_discarded(self) -> None:
        """Forget what a command has discarded, with everything saved: it begins with the oldest."""
        (oldest,) = self._db.execute("SELECT min(seq) FROM rejected").fetchone()
        self._seqs.remove(1, oldest - 1 if oldest else self._seqs.last)

    def add(self, seq: int, reason: str) -> None:
        """Add a reading; it is on disk after the next `save` and commit."""
        self._seqs.add(seq, seq)
        self._unsaved_reasons[seq] = reason
        self._unsaved.append(("INSERT OR REPLACE INTO rejected VALUES (?, ?)", (seq, reason)))

    def within(self, first: int, last: int) -> list[tuple[int, int]]:
        """Return the ranges of members in first..last, ascending."""
        return list(self._seqs.within(first, last))

    def remove(self, first: int, last: int) -> None:
        """Remove first..last, as far as they are members: stored after all, or discarded."""
        for a, b in self.within(first, last):
            self._seqs.remove(a, b)
            self._unsaved.append(("DELETE FROM rejected WHERE seq BETWEEN ? AND ?", (a, b)))

    def reasons(self, first: int, last: int) -> list[tuple[int, str]]:
        """Return the members in first..last with their reasons."""
        saved = self._db.execute(
            "SELECT seq, reason FROM rejected WHERE seq BETWEEN ? AND ?", [first, last]
        )
        reasons = {**dict(saved), **self._unsaved_reasons}
        members = (seq for a, b in self.within(first, last) for seq in range(a, b + 1))
        return [(seq, reasons[seq]) for seq in members]

    def save(self) -> None:
        """Write the changes, within the caller's transaction."""
        for sql, parameters in self._unsaved:
            self._db.execute(sql, parameters)

    def saved(self) -> None:
        """Note that the transaction of the last `save` was committed."""
        self._unsaved.clear()
        self._unsaved_reasons.clear()
