"""The readings of a window of time, read from the outbox's file beside its collector."""

from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import Self

from collector.outbox.row import Row
from collector.outbox.schema import open_for_reading
from telemetry.ranges import Ranges

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
        self._db = open_for_reading(path)
        self._since = int(since)
        self._db.execute("BEGIN")
        self.outbox, self._last = self._db.execute("SELECT id, last FROM outbox").fetchone()
        self._settled = Ranges(self._db.execute("SELECT first, last FROM settled ORDER BY first"))
        self._rejected = Ranges(self._db.execute("SELECT seq, seq FROM rejected ORDER BY seq"))
        (oldest,) = self._db.execute("SELECT min(seq) FROM reading").fetchone()
        self._db.execute("COMMIT")
        # Everything up to here was stored and has been pruned.
        self.pruned: int = (self._last if oldest is None else oldest - 1) if since <= 0 else 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._db.close()

    def state(self, row: Row) -> State:
        """Return the state that the reading had when the window was opened."""
        if row.seq not in self._settled:
            return State.PENDING
        return State.REJECTED if row.seq in self._rejected else State.STORED

    def chunks(self) -> Iterator[list[Row]]:
        """Yield the window's readings by ascending sequence number, up to 5,000 at a time."""
        after = 0
        while rows := self._db.execute(
            "SELECT * FROM reading WHERE seq > ? AND seq <= ? ORDER BY seq LIMIT ?",
            [after, self._last, _CHUNK_ROWS],
        ).fetchall():
            after = rows[-1][0]
            yield [row for row in map(Row._make, rows) if row.at >= self._since]

    def stored(self) -> Iterator[Row]:
        """Yield the window's readings that were stored."""
        for rows in self.chunks():
            yield from (row for row in rows if self.state(row) is State.STORED)

    def rejections(self) -> list[tuple[Row, str]]:
        """Return all rejected readings with InfluxDB's reasons, whenever they were accepted."""
        found = self._db.execute(
            "SELECT reading.*, rejected.reason FROM rejected JOIN reading USING (seq) ORDER BY seq"
        )
        return [(Row._make(fields), reason) for *fields, reason in found]
