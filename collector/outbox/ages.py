"""How long ago readings were accepted that say how the outbox is doing."""

import sqlite3
import time

from collector.outbox.settlement import Settlement


class Ages:
    """Whole seconds by the clock of now; what is asked for raises sqlite3.Error."""

    def __init__(self, db: sqlite3.Connection, settlement: Settlement) -> None:
        self._db = db
        self._settlement = settlement

    def oldest_pending_s(self, last: int) -> int:
        """Return the age of the oldest pending reading up to number `last`; 0: none is pending."""
        for first, _ in self._settlement.unsettled(1, last):
            return self._age("SELECT at FROM reading WHERE seq >= ? ORDER BY seq LIMIT 1", first)
        return 0

    def reach_s(self) -> int:
        """Return since when no accepted reading has left the outbox; 0: none was accepted."""
        pruned = self._age("SELECT nullif(pruned_at, 0) FROM outbox")
        return pruned or self._age("SELECT at FROM reading ORDER BY seq LIMIT 1")

    def _age(self, query: str, *parameters: int) -> int:
        (at,) = self._db.execute(query, parameters).fetchone() or (None,)
        return 0 if at is None else max(0, int(time.time()) - at)
