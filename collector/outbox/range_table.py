"""A set of sequence numbers that is kept in a table of ranges."""

import sqlite3
from collections.abc import Iterator

from telemetry.ranges import Ranges


class RangeTable:
    """A set of sequence numbers in memory; `save` writes what has changed to its table.

    The table has the columns `first` and `last`: inclusive ranges that neither overlap nor touch.
    """

    def __init__(self, db: sqlite3.Connection, table: str) -> None:
        self._db = db
        self._table = table
        self._ranges = Ranges(db.execute(f"SELECT first, last FROM {table} ORDER BY first"))  # noqa: S608
        self._unsaved = Ranges()
        self._removed = Ranges()

    def __len__(self) -> int:
        return len(self._ranges)

    def __contains__(self, seq: int) -> bool:
        return seq in self._ranges

    @property
    def last(self) -> int:
        """The greatest member; 0 if there is none."""
        return self._ranges.last

    def within(self, first: int, last: int) -> Iterator[tuple[int, int]]:
        """Yield the ranges of members in first..last, ascending."""
        return self._ranges.within(first, last)

    def gaps(self, first: int, last: int) -> Iterator[tuple[int, int]]:
        """Yield the ranges in first..last that are not members, ascending."""
        return self._ranges.gaps(first, last)

    def add(self, first: int, last: int) -> None:
        """Add first..last; they are on disk after the next `save` and commit."""
        self._ranges.add(first, last)
        self._unsaved.add(first, last)

    def remove(self, first: int, last: int) -> None:
        """Remove first..last, as far as they are members."""
        self._ranges.remove(first, last)
        self._unsaved.remove(first, last)
        self._removed.add(first, last)

    def save(self) -> None:
        """Write the changes, within the caller's transaction."""
        for first, last in self._removed:
            self._rewrite(first, last)
        for first, _ in self._unsaved:
            whole = self._ranges.around(first)
            self._db.execute(f"DELETE FROM {self._table} WHERE first BETWEEN ? AND ?", whole)  # noqa: S608
            self._db.execute(f"INSERT INTO {self._table} VALUES (?, ?)", whole)  # noqa: S608

    def saved(self) -> None:
        """Note that the transaction of the last `save` was committed."""
        self._unsaved.clear()
        self._removed.clear()

    def _rewrite(self, first: int, last: int) -> None:
        """Write anew the ranges of the table that reach into first..last."""
        (start, end) = self._db.execute(
            f"SELECT min(first), max(last) FROM {self._table} WHERE first <= ? AND first >="  # noqa: S608
            f" coalesce((SELECT max(first) FROM {self._table} WHERE first <= ?), ?)",
            [last, first, first],
        ).fetchone()
        if start is not None:
            self._db.execute(
                f"DELETE FROM {self._table} WHERE first BETWEEN ? AND ?",  # noqa: S608
                [start, last],
            )
            rest = self._ranges.within(start, max(end, last))
            self._db.executemany(f"INSERT INTO {self._table} VALUES (?, ?)", list(rest))  # noqa: S608
