"""The runs of an outbox: which numbers it gave out since which start of a collector."""

import secrets
import sqlite3

from telemetry.receipt import Receipt


class Runs:
    """Names of runs, and the numbers of each: from its first to the one before the next run's."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._firsts = self._load()

    def begin(self, last: int) -> str:
        """Begin a run after the number `last`; return its name. Drops runs without readings."""
        name = secrets.token_hex(4)
        with self._db:
            self._db.execute("BEGIN IMMEDIATE")
            self._db.execute("DELETE FROM run WHERE first > ?", [last])
            self._db.execute(
                "DELETE FROM run WHERE first < (SELECT max(first) FROM run WHERE first <="
                " coalesce((SELECT min(seq) FROM reading), ?))",
                [last + 1],
            )
            self._db.execute("INSERT INTO run VALUES (?, ?)", [last + 1, name])
        self._firsts = self._load()
        return name

    def own(self, receipt: Receipt, last: int) -> Receipt:
        """Return what a receipt says about the numbers up to `last` of the run that it names."""
        first = self._firsts.get(receipt.run, last + 1)
        later = (other for other in self._firsts.values() if other > first)
        end = min(last, next(later, last + 1) - 1)
        return receipt.within(first, end) if first <= end else Receipt()

    def _load(self) -> dict[str, int]:
        return dict(self._db.execute("SELECT name, first FROM run ORDER BY first"))
