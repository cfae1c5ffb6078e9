"""Removes rows that are no longer needed, a few with each commit."""

import math
import sqlite3
import time
from collections.abc import Sequence
from itertools import islice, takewhile

from collector.outbox import late
from collector.outbox.newest import Newest
from collector.outbox.settlement import Settlement
from collector.outbox.space import Space
from collector.outbox.tally import Tally
from collector.outbox.verification import Verification
from telemetry.ranges import collapse

_MAX_ROWS = 4000


class Pruner:
    """Decides what leaves the outbox, and when.

    - Readings that were read back from InfluxDB, when they are older than `keep_s`, or at once
      while the outbox is more than half full.
    - Then, if that is not enough, the oldest rejected ones, counted as `discarded`.
    - Stored readings that were not read back only while it is more than three quarters full,
      counted as `unverified`.
    """

    def __init__(  # noqa: PLR0913, PLR0917
        self,
        db: sqlite3.Connection,
        settlement: Settlement,
        verification: Verification,
        newest: Newest,
        tally: Tally,
        keep_s: float,
    ) -> None:
        self._db = db
        self._settlement = settlement
        self._verification = verification
        self._newest = newest
        self._tally = tally
        self._keep_s = keep_s
        self._pruned_to = 0
        self._let_go_to = 0

    def revisit(self, first: int) -> None:
        """Look again at the rows from `first` on: some of them were verified."""
        self._pruned_to = min(self._pruned_to, first - 1)

    def prune(self, space: Space) -> None:
        """Remove up to 4,000 rows within the caller's transaction, before other changes in it."""
        self._settlement.rejections.save()  # `_rows` goes by the table; saving twice does no harm
        if space.is_roomy:
            self._prune_verified(time.time() - self._keep_s)
        elif not (self._prune_verified(math.inf) or self._discard_rejected()) and space.is_tight:
            self._let_go_unverified()

    def _prune_verified(self, accepted_before: float) -> bool:
        """Remove the oldest verified rows; return whether there were any."""
        # Rows beyond `saved_to` are still needed to recover the newest timestamps.
        for first, last in self._verification.verified.within(
            self._pruned_to + 1, self._newest.saved_to
        ):
            rows = self._rows(first, last, limit=1)
            if not rows:
                self._pruned_to = last
                continue
            if rows[0][1] < accepted_before or rows[0][1] > time.time():
                rows = self._rows(rows[0][0], last, limit=_MAX_ROWS)
                return self._remove_old(rows, accepted_before)
            return False
        return False

    def _remove_old(self, rows: Sequence[tuple[int, int]], accepted_before: float) -> bool:
        """Remove the rows that are old; pass over those accepted while the clock was ahead."""
        now = time.time()
        old = []
        for seq, at in rows:
            if at < accepted_before:
                old.append(seq)
            elif at <= now:
                break
            self._pruned_to = seq
        self._delete(old)
        return bool(old)

    def _discard_rejected(self) -> bool:
        """Remove the oldest rejected rows; return whether there were any."""
        rejections = self._settlement.rejections
        saved = takewhile(lambda seq: seq <= self._newest.saved_to, rejections)
        oldest = list(islice(saved, _MAX_ROWS))
        for first, last in collapse(oldest):
            self._db.execute("DELETE FROM reading WHERE seq BETWEEN ? AND ?", [first, last])
            late.remove(self._db, first, last)
            rejections.remove(first, last)
        self._tally.add("discarded", len(oldest))
        return bool(oldest)

    def _let_go_unverified(self) -> None:
        """Remove the oldest stored rows that nobody has read back."""
        rows = self._rows(self._let_go_to + 1, self._newest.saved_to, limit=_MAX_ROWS)
        stored = [seq for seq, _ in rows if seq in self._settlement.settled]
        self._let_go_to = rows[-1][0] if rows else 0  # from the beginning again: what was pending
        self._delete(stored)
        for first, last in collapse(stored):
            self._verification.let_go(first, last)
        self._tally.add("unverified", len(stored))

    def _rows(self, first: int, last: int, *, limit: int) -> list[tuple[int, int]]:
        """Return number and time of acceptance of the first rows that are not rejected."""
        return self._db.execute(
            "SELECT seq, at FROM reading WHERE seq BETWEEN ? AND ?"
            " AND seq NOT IN (SELECT seq FROM rejected) ORDER BY seq LIMIT ?",
            [first, last, limit],
        ).fetchall()

    def _delete(self, seqs: Sequence[int]) -> None:
        for first, last in collapse(seqs):
            self._db.execute(
                "UPDATE outbox SET pruned_at = max(pruned_at,"
                " (SELECT max(at) FROM reading WHERE seq BETWEEN ? AND ?))",
                [first, last],
            )
            self._db.execute("DELETE FROM reading WHERE seq BETWEEN ? AND ?", [first, last])
