"""Which stored readings were read back from InfluxDB."""

import sqlite3

from collector.outbox.settlement import Settlement
from telemetry.ranges import Ranges


class Verification:
    """The verified sequence numbers, in memory only: each start of a collector reads back again.

    Numbers whose rows have left the outbox count as verified; those rejected do when the numbers
    around them are.
    """

    def __init__(self, db: sqlite3.Connection, settlement: Settlement) -> None:
        self._db = db
        self._settlement = settlement
        self.verified = Ranges()
        self.begin_again()

    @property
    def waiting(self) -> int:
        """How many readings are settled and not verified."""
        return len(self._settlement.settled) - len(self.verified)

    def begin_again(self) -> None:
        """Take nothing that is still here for verified."""
        self.verified.clear()
        (oldest,) = self._db.execute("SELECT min(seq) FROM reading").fetchone()
        last = oldest - 1 if oldest else self._settlement.settled.last
        for first, end in self._settlement.settled.within(1, last):
            self.verified.add(first, end)

    def next(self, end: int) -> tuple[int, int] | None:
        """Return the first range of numbers up to `end` that are settled and not verified."""
        for first, last in self._settlement.settled.within(1, end):
            for gap in self.verified.gaps(first, last):
                return gap
        return None

    def verify(self, first: int, last: int) -> None:
        """Note that the settled readings in first..last were read back."""
        for a, b in self._settlement.settled.within(first, last):
            self.verified.add(a, b)
