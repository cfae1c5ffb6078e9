"""The outbox: what a 201 has promised, on disk until the bridge says that InfluxDB has it."""

import asyncio
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from collector.outbox.newest import Newest
from collector.outbox.pruner import Pruner
from collector.outbox.range_table import RangeTable
from collector.outbox.rejections import Rejections
from collector.outbox.row import Draft, Row
from collector.outbox.schema import OutboxUnusable, open_for_writing
from collector.outbox.space import Space
from telemetry.receipt import Receipt

# Turns of the event loop that a commit waits for more requests to join: microseconds when none
# come. Their answers go out together, and so their clients' next requests arrive together.
_GATHER_TURNS = 3


class OutboxFull(Exception):
    """No room for more readings until some are stored; the text says which bound is reached."""


# Resolves with the first and last sequence number once the readings are on disk.
Commit = asyncio.Future[tuple[int, int]]


class Outbox:
    """A durable queue of readings: append, commit, settle, prune.

    Everything runs on the event loop, the fsync too: while the disk works, requests gather for the
    next commit, and no thread has to be woken (see bench/README.md). What is settled or published
    may be ahead of the disk by a second; after a crash those readings are merely sent again.
    """

    def __init__(self, path: Path, *, max_bytes: int, keep_s: float) -> None:
        self._db, self._lock = db, _ = open_for_writing(path)
        self._loop = asyncio.get_running_loop()
        self.id: str
        self.last: int
        self.id, self.last = db.execute("SELECT id, last FROM outbox").fetchone()
        self._settled = RangeTable(db, "settled")
        self._published = RangeTable(db, "published")
        self._rejections = Rejections(db)
        # What goes to disk with the next commit, beside new readings.
        self._saved_with_commit = (self._settled, self._published, self._rejections)
        self._newest = Newest(db)
        self._pruner = Pruner(db, self._settled, self._newest, keep_s)
        self._space = Space(db, path.parent, max_bytes)
        self._failure: asyncio.Future[None] = self._loop.create_future()
        self._listeners: list[Callable[[Sequence[Row]], None]] = []
        self._head = b'{"id":"%b:' % self.id.encode()
        self._group: list[Row] = []
        self._group_bytes = 0
        self._commits: list[tuple[Commit, tuple[int, int]]] = []
        self._waiters: dict[asyncio.Future[None], tuple[int, int]] = {}

    @property
    def stored(self) -> int:
        """How many readings InfluxDB has stored."""
        return len(self._settled) - len(self._rejections)

    @property
    def rejected(self) -> int:
        """How many readings InfluxDB has rejected."""
        return len(self._rejections)

    @property
    def pending(self) -> int:
        """How many committed readings have no receipt."""
        return self.last - len(self._settled)

    @property
    def used_bytes(self) -> int:
        """How many bytes the outbox takes."""
        return self._space.used

    @property
    def full(self) -> str | None:
        """Why no reading can be accepted now, or None while there is room."""
        return self._space.bound if self._space.left <= 0 else None

    def add_listener(self, on_committed: Callable[[Sequence[Row]], None]) -> None:
        """Call `on_committed` with the new rows after each commit that has any."""
        self._listeners.append(on_committed)

    async def failed(self) -> None:
        """Wait for ever; raises OutboxUnusable when the disk fails."""
        await self._failure

    def append(self, drafts: Sequence[Draft]) -> Commit:
        """Put the readings into the next commit, with sequence numbers.

        Raises OutboxFull and takes none of them; so does the commit when the disk fills up
        meanwhile. On any other failure of the disk the commit raises OutboxUnusable, and so do
        `failed` and every later `append`: the collector cannot go on.
        """
        if self._failure.done():
            raise OutboxUnusable("the outbox could not be written; the collector is ending")
        first, at = self.last + len(self._group) + 1, int(time.time())
        rows = [
            Row(seq, at, draft.ns, draft.series, b'%b%d",%b' % (self._head, seq, draft.body[1:]))
            for seq, draft in enumerate(drafts, first)
        ]
        size = sum(len(row.payload) for row in rows)
        if self._group_bytes + size > self._space.left:
            raise OutboxFull(self._space.bound)
        if not self._group:
            self._loop.call_soon(self._gather, _GATHER_TURNS)
        self._group += rows
        self._group_bytes += size
        commit: Commit = self._loop.create_future()
        self._commits.append((commit, (first, first + len(rows) - 1)))
        return commit

    def is_newest(self, series: str, ns: int) -> bool:
        """Return whether no later reading of the series has been committed."""
        return self._newest.is_newest(series, ns)

    def commit(self) -> None:
        """Write the gathered readings and all that has changed since the last commit."""
        group, self._group, self._group_bytes = self._group, [], 0
        commits, self._commits = self._commits, []
        try:
            self._newest.save(self.last, now=self._space.is_short)
            self._write(group)
            self._space.measure()
        except (sqlite3.Error, OSError) as error:
            self._fail(error, commits)
            return
        if group:
            self.last = group[-1].seq
        for commit, numbers in commits:
            if not commit.done():
                commit.set_result(numbers)
        if group:
            for on_committed in self._listeners:
                on_committed(group)

    def read(self, first: int, last: int, limit: int) -> list[Row]:
        """Return the first `limit` rows of first..last."""
        rows = self._db.execute(
            "SELECT * FROM reading WHERE seq BETWEEN ? AND ? ORDER BY seq LIMIT ?",
            [first, last, limit],
        )
        return [Row(*row) for row in rows]

    def mark_published(self, seq: int) -> None:
        """Note that the broker has this reading: from now on it is only replayed."""
        self._published.add(seq, seq)

    def published(self, first: int, last: int) -> Iterator[tuple[int, int]]:
        """Yield the ranges in first..last that were published, ascending."""
        return self._published.within(first, last)

    def unsettled(self, first: int, last: int) -> Iterator[tuple[int, int]]:
        """Yield the ranges in first..last that have no receipt, ascending."""
        return self._settled.gaps(first, last)

    def settle(self, receipt: Receipt) -> None:
        """Apply a receipt. Stored is final; a rejected reading may still be stored later."""
        for first, last in receipt.stored:
            self._settle(first, min(last, self.last))
            self._rejections.discard(first, last)
        for seq, reason in ((r.seq, r.reason) for r in receipt.rejected):
            if seq not in self._settled and seq <= self.last:
                self._settle(seq, seq)
                self._rejections.add(seq, reason)
        self._wake_waiters()

    async def wait_settled(self, first: int, last: int) -> None:
        """Return when all of first..last have a receipt."""
        waiter: asyncio.Future[None] = self._loop.create_future()
        self._waiters[waiter] = (first, last)
        self._wake_waiters()
        try:
            await waiter
        finally:
            del self._waiters[waiter]

    def reasons(self, first: int, last: int) -> list[tuple[int, str]]:
        """Return the sequence numbers in first..last that InfluxDB rejected, and why."""
        self.commit()
        return self._rejections.reasons(first, last)

    def close(self) -> None:
        """Write what has changed and release the file."""
        self.commit()
        self._db.close()
        self._lock.close()

    def _gather(self, turns: int) -> None:
        if turns:
            self._loop.call_soon(self._gather, turns - 1)
        else:
            self.commit()

    def _settle(self, first: int, last: int) -> None:
        if first <= last:
            self._settled.add(first, last)
            self._pruner.revisit(first)

    def _wake_waiters(self) -> None:
        for waiter, (first, last) in self._waiters.items():
            if not waiter.done() and next(self.unsettled(first, last), None) is None:
                waiter.set_result(None)

    def _write(self, group: list[Row]) -> None:
        db = self._db
        db.execute("BEGIN IMMEDIATE")
        try:
            if group:
                db.executemany("INSERT INTO reading VALUES (?, ?, ?, ?, ?)", group)
                db.execute("UPDATE outbox SET last = ?", [group[-1].seq])
            for changed in self._saved_with_commit:
                changed.save()
            self._pruner.prune(roomy=self._space.is_roomy)
            db.execute("COMMIT")
        except sqlite3.Error:
            if db.in_transaction:
                db.execute("ROLLBACK")
            raise
        self._newest.learn(self._newest.among((row.series, row.ns) for row in group))
        for changed in self._saved_with_commit:
            changed.saved()

    def _fail(self, error: Exception, commits: list[tuple[Commit, tuple[int, int]]]) -> None:
        outcome: Exception = OutboxUnusable(f"the outbox cannot be written: {error}")
        if getattr(error, "sqlite_errorname", "") == "SQLITE_FULL":
            outcome = OutboxFull("the disk under the outbox is full")
        elif not self._failure.done():
            self._failure.set_exception(outcome)
        for commit, _ in commits:
            if not commit.done():
                commit.set_exception(outcome)
