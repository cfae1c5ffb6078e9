"""Before old readings are sent: a look at what the directory's other outboxes have of them."""

import asyncio
import logging
import sqlite3
import time
from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from collector.outbox.elsewhere import (
    NOT_REJECTED,
    STORED,
    Elsewhere,
    Origin,
    correction,
    origin,
)
from collector.outbox.row import Row
from collector.outbox.schema import OutboxUnusable, open_beside
from telemetry.ranges import collapse
from telemetry.thread import Thread

logger = logging.getLogger(__name__)

# A look at so many reads the other outboxes once; meanwhile that takes some 25 MB.
_ROWS = 50_000
# Between two looks for the same readings: one reads the other outboxes as a whole, in this part of
# the time at most.
_REST_S = 5.0
_SHARE = 0.05
_READ_ROWS = 5_000

Span = tuple[int, int]


class Overtaken(NamedTuple):
    """The numbers of readings corrected elsewhere, by whether the correction is stored."""

    stored: Sequence[Span] = ()
    pending: Sequence[Span] = ()


class Look:
    """Finds old readings that were overtaken through other outboxes, in a thread of its own.

    That is while this one had no collector or no broker: a reading of the same point was accepted
    later, or a newer one of the same series. Nothing old is sent before it was looked for, by
    ascending number; without other outboxes there is nothing to wait for.
    """

    def __init__(
        self, path: Path, elsewhere: Elsewhere, on_progress: Callable[[Overtaken], None]
    ) -> None:
        """`on_progress` is told of readings that were corrected elsewhere."""
        self._path = path
        self._elsewhere = elsewhere
        self._on_progress = on_progress
        self._old: Sequence[Span] = ()
        self._begun = asyncio.Event()
        self._looked_to: int | None = None  # None: no look is under way
        self._newest: Mapping[str, int] = {}
        self._begun_ns = 0
        self._due_at = 0.0
        self._awaited: dict[int, Origin] = {}  # the corrections that were pending; of the thread

    @property
    def is_rested(self) -> bool:
        """Whether no look is under way, and the last one has ended some time ago."""
        return self._looked_to is None and time.monotonic() >= self._due_at

    def begin(self, old: Iterable[Span]) -> None:
        """Look for the readings with these numbers, ascending, in place of any others."""
        self._old = list(old)
        is_needed = bool(self._old) and bool(self._elsewhere.others())
        self._looked_to = 0 if is_needed else None
        if is_needed:
            self._begun.set()

    def until(self, last: int) -> int:
        """Return up to which number old readings may be sent, at most `last`."""
        return last if self._looked_to is None else min(last, self._looked_to)

    def is_newest(self, row: Row) -> bool:
        """Return whether no other outbox had a newer reading of the row's series.

        One wrong timestamp there, ahead of the clock, must not keep the broker from retaining.
        """
        return row.ns >= min(self._newest.get(row.series, row.ns), self._begun_ns)

    async def run(self) -> None:
        """Look whenever that is begun, for ever."""
        while True:
            await self._begun.wait()
            self._begun.clear()
            began = time.monotonic()
            thread = Thread("look")
            try:
                await self._look(thread)
            except (OutboxUnusable, sqlite3.Error) as error:  # readings are worth more than order
                logger.warning("old readings are sent without a look at other outboxes: %s", error)
            finally:
                thread.end()
            if not self._begun.is_set():
                now = time.monotonic()
                self._looked_to, self._due_at = None, now + max(_REST_S, (now - began) / _SHARE)
                self._on_progress(Overtaken())

    async def _look(self, thread: Thread) -> None:
        self._begun_ns = time.time_ns()
        self._newest = await thread.run(self._elsewhere.newest)
        corrected = _corrected(self._path, self._old, self._elsewhere, self._newest, self._awaited)
        try:
            while seen := await thread.run(lambda: next(corrected, None)):
                if self._begun.is_set():
                    return
                self._looked_to, found = seen
                self._on_progress(found)
        finally:
            thread.start(corrected.close)


def _corrected(
    path: Path,
    old: Iterable[Span],
    elsewhere: Elsewhere,
    newest: Mapping[str, int],
    awaited: dict[int, Origin],
) -> Generator[tuple[int, Overtaken]]:
    """Yield up to which number was looked, and which of these were corrected elsewhere."""
    looked_for: list[Row] = []
    with closing(open_beside(path)) as db:
        for row in _rows(db, old):
            if row.seq in awaited or row.ns <= newest.get(row.series, row.ns - 1):
                looked_for.append(row)  # nobody else has the points of the others
            if len(looked_for) == _ROWS:
                yield row.seq, _of(looked_for, elsewhere, awaited)
                looked_for.clear()
        if looked_for:
            yield looked_for[-1].seq, _of(looked_for, elsewhere, awaited)


def _of(rows: Sequence[Row], elsewhere: Elsewhere, awaited: dict[int, Origin]) -> Overtaken:
    def corrected(rows: Collection[Row], which: str) -> dict[Row, Row]:
        last = elsewhere.last(rows, which)
        return {row: later for row in rows if (later := correction(last, row))}

    found = corrected(rows, NOT_REJECTED)
    stored = {row.seq for row in corrected(found, STORED)}
    # A correction may have been stored, and have left its outbox, since the last look.
    gone = {row.seq: awaited[row.seq] for row in rows if row.seq in awaited and row not in found}
    known = elsewhere.stored(set(gone.values()))
    stored.update(seq for seq, of in gone.items() if of in known)
    pending = {row.seq: origin(later) for row, later in found.items() if row.seq not in stored}
    for row in rows:
        awaited.pop(row.seq, None)
    awaited.update(pending)
    return Overtaken(collapse(stored), collapse(pending))


def _rows(db: sqlite3.Connection, spans: Iterable[Span]) -> Iterator[Row]:
    """Yield rows without their payloads, in short transactions."""
    for start, last in spans:
        first = start
        while found := db.execute(
            "SELECT seq, at, ns, topic, x'' FROM reading WHERE seq BETWEEN ? AND ?"
            " ORDER BY seq LIMIT ?",
            [first, last, _READ_ROWS],
        ).fetchall():
            yield from map(Row._make, found)
            first = found[-1][0] + 1
