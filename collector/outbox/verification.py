"""Which stored readings were read back from InfluxDB."""

import sqlite3
from collections.abc import Iterable

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
        self.given_up = Ranges()
        """Those that InfluxDB still lacks after replays: neither verified nor waiting."""
        self.begin_again()

    @property
    def waiting(self) -> int:
        """How many readings are settled, not verified and not given up."""
        return len(self._settlement.settled) - len(self.verified) - len(self.given_up)

    def begin_again(self) -> None:
        """Take nothing that is still here for verified."""
        self.verified.clear()
        self.given_up.clear()
        (oldest,) = self._db.execute("SELECT min(seq) FROM reading").fetchone()
        last = oldest - 1 if oldest else self._settlement.settled.last
        for first, end in self._settlement.settled.within(1, last):
            self.verified.add(first, end)

    def next(self, end: int) -> tuple[int, int] | None:
        """Return the first range of numbers up to `end` that wait to be read back."""
        for first, last in self._settlement.settled.within(1, end):
            for a, b in self.verified.gaps(first, last):
                for gap in self.given_up.gaps(a, b):
                    return gap
        return None

    def verify(self, first: int, last: int) -> None:
        """Note that the settled readings in first..last were read back."""
        for a, b in self._settlement.settled.within(first, last):
            self.verified.add(a, b)

    def give_up(self, seqs: Iterable[int]) -> None:
        """Note that readings are missing, and that replaying them does not help."""
        for seq in seqs:
            self.verified.remove(seq, seq)
            self.given_up.add(seq, seq)

    def reopen(self, seq: int) -> None:
        """Note that a reading is pending again."""
        self.verified.remove(seq, seq)
        self.given_up.remove(seq, seq)

    def let_go(self, first: int, last: int) -> None:
        """Note that the rows of first..last have left the outbox."""
        self.verified.add(first, last)
        self.given_up.remove(first, last)
