"""Counts of what happened to readings beside being stored or rejected."""

import sqlite3
from collections import Counter

_COLUMNS = ("healed", "unverified", "discarded")


class Tally:
    """Counts by name, kept in columns of the table `outbox`; `save` writes what was added.

    - `healed`: found missing in InfluxDB, and replayed;
    - `unverified`: pruned before they were read back, for want of space;
    - `discarded`: rejected, and no longer kept.
    """

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._unsaved: Counter[str] = Counter()
        self.counts: dict[str, int] = {}
        self.load()

    def load(self) -> None:
        """Read the counts again: a command may have changed them."""
        row = self._db.execute(f"SELECT {', '.join(_COLUMNS)} FROM outbox").fetchone()  # noqa: S608
        saved = zip(_COLUMNS, row, strict=True)
        self.counts = {name: count + self._unsaved[name] for name, count in saved}

    def add(self, name: str, count: int) -> None:
        """Add to a count; it is on disk after the next `save` and commit."""
        self.counts[name] += count
        self._unsaved[name] += count

    def save(self) -> None:
        """Write what was added, within the caller's transaction."""
        for name, count in self._unsaved.items():
            self._db.execute(f"UPDATE outbox SET {name} = {name} + ?", [count])  # noqa: S608

    def saved(self) -> None:
        """Note that the transaction of the last `save` was committed."""
        self._unsaved.clear()
