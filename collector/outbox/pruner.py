"""Removes rows that InfluxDB has stored, a few with each commit."""

import math
import sqlite3
import time

from collector.outbox.newest import Newest
from collector.outbox.range_table import RangeTable

_MAX_ROWS = 4000


class Pruner:
    """Removes stored rows that are older than `keep_s`, or at once when the outbox is half full.

    Rejected rows stay: they are listed and can be replayed.
    """

    def __init__(
        self, db: sqlite3.Connection, settled: RangeTable, newest: Newest, keep_s: float
    ) -> None:
        self._db = db
        self._settled = settled
        self._newest = newest
        self._keep_s = keep_s
        self._pruned_to = 0

    def revisit(self, first: int) -> None:
        """Look again at the rows from `first` on: some of them were settled."""
        self._pruned_to = min(self._pruned_to, first - 1)

    def prune(self, *, roomy: bool) -> None:
        """Remove up to 4,000 rows within the caller's transaction."""
        accepted_before = time.time() - self._keep_s if roomy else math.inf
        # Rows beyond `saved_to` are still needed to recover the newest timestamps.
        for first, last in self._settled.within(self._pruned_to + 1, self._newest.saved_to):
            oldest = self._db.execute(
                "SELECT seq, at FROM reading WHERE seq BETWEEN ? AND ? ORDER BY seq LIMIT 1",
                [first, last],
            ).fetchone()
            if oldest is None:
                self._pruned_to = last
                continue
            seq, at = oldest
            if at < accepted_before:
                self._remove(seq, min(last, seq + _MAX_ROWS - 1), accepted_before)
            return

    def _remove(self, first: int, last: int, accepted_before: float) -> None:
        (young,) = self._db.execute(
            "SELECT min(seq) FROM reading WHERE seq BETWEEN ? AND ? AND at >= ?",
            [first, last, accepted_before],
        ).fetchone()
        self._pruned_to = last if young is None else young - 1
        self._db.execute(
            "DELETE FROM reading WHERE seq BETWEEN ? AND ?"
            " AND seq NOT IN (SELECT seq FROM rejected)",
            [first, self._pruned_to],
        )
