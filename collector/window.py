"""The readings of a window of time, read from the outbox's file beside its collector."""

from collections.abc import Iterator
from pathlib import Path
from typing import Self

from collector.outbox import Row
from collector.schema import open_for_reading
from telemetry.ranges import Ranges

_CHUNK = 5000


class Window:
    """Readings accepted since `since` (Unix time, s), with their state when it was opened.

    Rows are read in short transactions, so that a long audit does not keep the collector from
    tidying its write-ahead log.
    """

    def __init__(self, path: Path, since: float) -> None:
        self.db = open_for_reading(path)
        self._since = int(since)
        self.db.execute("BEGIN")
        self.id, self._last = self.db.execute("SELECT id, last FROM outbox").fetchone()
        self.settled = Ranges(self.db.execute("SELECT first, last FROM settled ORDER BY first"))
        self.rejected = Ranges(self.db.execute("SELECT seq, seq FROM rejected ORDER BY seq"))
        (oldest,) = self.db.execute("SELECT min(seq) FROM reading").fetchone()
        self.db.execute("COMMIT")
        # Everything up to here has been confirmed and tidied away.
        self.pruned: int = (self._last if oldest is None else oldest - 1) if since <= 0 else 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.db.close()

    def chunks(self) -> Iterator[list[Row]]:
        """Yield the window's readings in the order of their numbers, some thousands at a time."""
        after = 0
        while rows := self.db.execute(
            "SELECT * FROM reading WHERE seq > ? AND seq <= ? ORDER BY seq LIMIT ?",
            [after, self._last, _CHUNK],
        ).fetchall():
            after = rows[-1][0]
            yield [row for row in map(Row._make, rows) if row.at >= self._since]

    def stored(self) -> Iterator[Row]:
        """Yield the readings of the window that have been confirmed as stored."""
        for rows in self.chunks():
            for row in rows:
                if row.seq in self.settled and row.seq not in self.rejected:
                    yield row


def rejections(window: Window) -> list[tuple[Row, str]]:
    """Return all refused readings with InfluxDB's reasons."""
    found = window.db.execute(
        "SELECT reading.*, rejected.reason FROM rejected JOIN reading USING (seq) ORDER BY seq"
    )
    return [(Row._make(fields), reason) for *fields, reason in found]
