"""Which readings have a receipt, and what it says."""

import asyncio
import sqlite3
from collections.abc import Iterator

from collector.outbox.range_table import RangeTable
from collector.outbox.rejections import Rejections
from telemetry.receipt import Receipt


class Settlement:
    """The settled sequence numbers, the rejected among them, and who waits for others."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self.settled = RangeTable(db, "settled")
        self.rejections = Rejections(db)
        self._waiters: dict[asyncio.Future[None], tuple[int, int]] = {}

    def apply(self, receipt: Receipt) -> None:
        """Apply a receipt. Stored is final; a rejected reading may still be stored later."""
        for first, last in receipt.stored:
            self.settled.add(first, last)
            self.rejections.remove(first, last)
        for seq, reason in ((r.seq, r.reason) for r in receipt.rejected):
            if seq not in self.settled:
                self.settled.add(seq, seq)
                self.rejections.add(seq, reason)
        self._wake_waiters()

    def is_stored(self, seq: int) -> bool:
        """Return whether InfluxDB has stored a reading, by its receipt."""
        return seq in self.settled and seq not in self.rejections

    def unsettled(self, first: int, last: int) -> Iterator[tuple[int, int]]:
        """Yield the ranges in first..last that have no receipt, ascending."""
        return self.settled.gaps(first, last)

    async def wait(self, first: int, last: int) -> None:
        """Return when all of first..last have a receipt."""
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters[waiter] = (first, last)
        self._wake_waiters()
        try:
            await waiter
        finally:
            del self._waiters[waiter]

    def _wake_waiters(self) -> None:
        for waiter, (first, last) in self._waiters.items():
            if not waiter.done() and next(self.unsettled(first, last), None) is None:
                waiter.set_result(None)
