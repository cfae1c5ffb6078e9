"""The readings of a window of time, read from the outbox's file beside its collector."""

from collections.abc import Iterator, Sequence
from enum import Enum
from pathlib import Path
from typing import Self

from collector.outbox import late
from collector.outbox.row import Row
from collector.outbox.runs import Runs
from collector.outbox.schema import open_beside
from telemetry.ranges import Ranges
from telemetry.receipt import Receipt

_CHUNK_ROWS = 5000


class State(Enum):
    """What has become of an accepted reading."""

    PENDING = "pending"
    STORED = "stored"
    REJECTED = "rejected"


class Window:
    """Readings accepted since `since` (Unix time, s), with their state when it was opened.

    Rows are read in short transactions, so that a long audit does not keep the collector from
    truncating its write-ahead log.
    """

    def __init__(self, path: Path, since: float) -> None:
        self.path = path
        self._db = open_beside(path)
        self._since = int(since)
        self._db.execute("BEGIN")
        self.outbox: str
        self.pruned_at: int  # when the last of the pruned readings was accepted; 0: none was
        self.outbox, self._last, self.pruned_at = self._db.execute(
            "SELECT id, last, pruned_at FROM outbox"
        ).fetchone()
        self._runs = Runs(self._db)
        self._settled = Ranges(self._db.execute("SELECT first, last FROM settled ORDER BY first"))
        self._rejected = Ranges(self._db.execute("SELECT seq, seq FROM rejected ORDER BY seq"))
        (first,) = self._db.execute(
            "SELECT coalesce((SELECT seq FROM reading WHERE at >= ? ORDER BY seq LIMIT 1), ? + 1)",
            [self._since, self._last],
        ).fetchone()
        self.first: int = first
        """The first sequence number of the window; one more than the last if it is empty."""
        self._db.execute("COMMIT")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._db.close()

    @property
    def span(self) -> int:
        """How many sequence numbers there are from the window's first to its last."""
        return int(self._last - self.first + 1)

    @property
    def is_complete(self) -> bool:
        """Whether nothing accepted since `since` has been pruned."""
        return self.pruned_at < self._since or not self.pruned_at

    def own(self, receipt: Receipt) -> Receipt:
        """Return what a receipt says about this outbox's readings."""
        return self._runs.own(receipt, self._last)

    def corrections(self, rows: Sequence[Row]) -> dict[int, int]:
        """Return which of the rows, in ascending order, were corrected, and by which last reading.

        Rejected ones do not count.
        """
        return late.corrections(self._db, rows, lambda seq: self.state(seq) is State.REJECTED)

    def read(self, seq: int) -> Row | None:
        """Return a reading; None if it is no longer in the outbox."""
        found = self._db.execute("SELECT * FROM reading WHERE seq = ?", [seq]).fetchone()
        return Row._make(found) if found else None

    def state(self, seq: int) -> State:
        """Return the state that a reading had when the window was opened."""
        if seq not in self._settled:
            return State.PENDING
        return State.REJECTED if seq in self._rejected else State.STORED

    def chunks(self) -> Iterator[list[Row]]:
        """Yield the window's readings by ascending sequence number, up to 5,000 at a time."""
        after = self.first - 1
        while rows := self._db.execute(
            "SELECT * FROM reading WHERE seq > ? AND seq <= ? ORDER BY seq LIMIT ?",
            [after, self._last, _CHUNK_ROWS],
        ).fetchall():
            after = rows[-1][0]
            yield [row for row in map(Row._make, rows) if row.at >= self._since]

    def stored(self) -> Iterator[Row]:
        """Yield the window's readings that were stored."""
        for rows in self.chunks():
            yield from (row for row in rows if self.state(row.seq) is State.STORED)

    def rejections(self) -> list[tuple[Row, str]]:
        """Return all rejected readings with the reasons, whenever they were accepted."""
        found = self._db.execute(
            "SELECT reading.*, rejected.reason FROM rejected JOIN reading USING (seq) ORDER BY seq"
        )
        return [(Row._make(fields), reason) for *fields, reason in found]
