"""The outbox: what a 201 has promised, on disk until InfluxDB has it and was read back."""

import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from collector.outbox import late, superseded
from collector.outbox.ages import Ages
from collector.outbox.books import Books
from collector.outbox.group_commit import Commit, GroupCommit, OutboxFull
from collector.outbox.newest import Newest
from collector.outbox.pruner import Pruner
from collector.outbox.range_table import RangeTable
from collector.outbox.reopening import Reopening
from collector.outbox.row import Draft, Row
from collector.outbox.runs import Runs
from collector.outbox.schema import BUSY_S, opening
from collector.outbox.settlement import Settlement
from collector.outbox.space import Space
from collector.outbox.superseded import Superseded
from collector.outbox.tally import Tally
from collector.outbox.verification import Verification
from telemetry.origin import prefix
from telemetry.receipt import Receipt


class Outbox:
    """A durable queue of readings: append, commit, settle, verify, prune.

    Everything runs on the event loop, the fsync too: while the disk works, requests gather for the
    next commit, and no thread has to be woken (see bench/README.md). What is settled or published
    may be ahead of the disk by a second; after a crash those readings are merely sent again.
    """

    def __init__(
        self, path: Path, *, max_bytes: int, keep_s: float, wait_s: float = BUSY_S
    ) -> None:
        """Wait up to `wait_s` for a program that writes the file; raises as `opening` does."""
        with opening(path, wait_s) as (db, self._lock):
            self._db = db
            self.path = path
            self.id: str
            self.last: int
            self.id, self.last = db.execute("SELECT id, last FROM outbox").fetchone()
            self._runs = Runs(db)
            self.run = self._runs.begin(self.last)
            self.settlement = Settlement(db)
            self.verification = Verification(db, self.settlement)
            self._ages = Ages(db, self.settlement)
            self._published = RangeTable(db, "published")
            self._tally = Tally(db)
            # What goes to disk with the next commit, beside new readings.
            self._saved_with_commit = (
                self.settlement.settled,
                self.settlement.rejections,
                self._published,
                self._tally,
            )
            self.newest = Newest(db)
            self._pruner = Pruner(
                db, self.settlement, self.verification, self.newest, self._tally, keep_s
            )
            self.space = Space(db, path.parent, max_bytes)
            self._data_version = self._read_data_version()
            self._listeners: list[Callable[[Sequence[Row]], None]] = []
            self._superseded: list[Superseded] = []
            self._on_superseded: Callable[[Sequence[Superseded]], None] = lambda _: None
            self._head = b'{"id":"' + prefix(self.id, self.run).encode()
            self._group = GroupCommit(self._write)
            self.commit_times = self._group.times
            self.reopening = Reopening(
                self.settlement, self.verification, self._tally, self._group.commit, self._kept
            )

    @property
    def books(self) -> Books:
        """How many readings were accepted, and what became of them."""
        rejected = len(self.settlement.rejections) + self._tally.counts["discarded"]
        stored = len(self.settlement.settled) - rejected
        return Books(self.last, stored, rejected, self.pending, **self._tally.counts)

    @property
    def pending(self) -> int:
        """How many committed readings have no receipt."""
        return self.last - len(self.settlement.settled)

    def ages(self) -> dict[str, int]:
        """Return the age of the oldest pending reading, and how far back all are here (s).

        Raises OutboxBusy or OutboxUnusable.
        """
        with self._group.failures():
            return {
                "oldest_pending_s": self._ages.oldest_pending_s(self.last),
                "audit_reach_s": self._ages.reach_s(),
            }

    def add_listener(self, on_committed: Callable[[Sequence[Row]], None]) -> None:
        """Call `on_committed` with the new rows after each commit that has any."""
        self._listeners.append(on_committed)

    def on_superseded(self, note: Callable[[Sequence[Superseded]], None]) -> None:
        """Call `note` after each commit that is known to replace values of earlier ones."""
        self._on_superseded = note

    async def failed(self) -> None:
        """Wait for ever; raises OutboxUnusable when the disk fails."""
        await self._group.failed()

    def append(self, drafts: Sequence[Draft]) -> Commit:
        """Put the readings into the next commit, with sequence numbers.

        Raises OutboxFull and takes none of them; so does the commit when the disk fills up
        meanwhile, and OutboxBusy while another program writes the file. On any other failure of the
        disk the commit raises OutboxUnusable, and so do `failed` and every later `append`: the
        collector cannot go on.
        """
        group = self._group
        group.check()
        first, at = self.last + len(group.rows) + 1, int(time.time())
        rows = [
            Row(seq, at, draft.ns, draft.series, b'%b%d",%b' % (self._head, seq, draft.body[1:]))
            for seq, draft in enumerate(drafts, first)
        ]
        size = sum([len(row.payload) for row in rows])
        if group.bytes + size > self.space.left:
            raise OutboxFull(self.space.bound)
        return group.add(rows, size)

    def commit(self) -> None:
        """Write what has changed since the last commit, and what is gathered for the next.

        Raises nothing: those who wait for readings are told of a failure.
        """
        self._group.commit()

    def read(self, first: int, last: int, limit: int) -> list[Row]:
        """Return the first `limit` rows of first..last; raises OutboxBusy or OutboxUnusable."""
        with self._group.failures():
            rows = self._db.execute(
                "SELECT * FROM reading WHERE seq BETWEEN ? AND ? ORDER BY seq LIMIT ?",
                [first, last, limit],
            ).fetchall()
        return [Row(*row) for row in rows]

    def is_newest(self, row: Row) -> bool:
        """Return whether no later reading of the row's series has been committed."""
        return self.newest.is_newest(row)

    def corrections(self, rows: Sequence[Row]) -> dict[int, int]:
        """Return which of the rows, in ascending order, were corrected, and by which last reading.

        Raises OutboxBusy or OutboxUnusable.
        """
        rejections = self.settlement.rejections
        with self._group.failures():
            return late.corrections(self._db, rows, rejections.__contains__)

    def mark_published(self, seq: int) -> None:
        """Note that the broker has this reading: from now on it is only replayed."""
        self._published.add(seq, seq)

    def published(self, first: int, last: int) -> Iterator[tuple[int, int]]:
        """Yield the ranges in first..last that were published, ascending."""
        return self._published.within(first, last)

    def settle(self, receipt: Receipt) -> Receipt:
        """Apply what a receipt says about the run that it names; return that."""
        own = self._runs.own(receipt, self.last)
        for first, last in own.stored:  # of what was rejected nobody has read anything back
            for a, b in self.settlement.rejections.within(first, last):
                self.verification.verified.remove(a, b)
                self.verification.given_up.remove(a, b)
        self.settlement.apply(own)
        return own

    def verify(self, first: int, last: int) -> None:
        """Note that the stored readings in first..last were read back from InfluxDB."""
        self.verification.verify(first, last)
        self._pruner.revisit(first)

    def reasons(self, first: int, last: int) -> list[tuple[int, str]]:
        """Return the sequence numbers in first..last that were rejected, and why."""
        with self._group.failures():
            return self.settlement.rejections.reasons(first, last)

    def close(self) -> None:
        """Write what has changed and release the file."""
        self.commit()
        self._db.close()
        self._lock.close()

    def _kept(self, first: int, last: int) -> list[int]:
        """Return the numbers in first..last whose rows are here."""
        with self._group.failures():
            rows = self._db.execute(
                "SELECT seq FROM reading WHERE seq BETWEEN ? AND ?", [first, last]
            ).fetchall()
        return [seq for (seq,) in rows]

    def _write(self, rows: list[Row]) -> None:
        """Write rows and changes; raises sqlite3.Error or OSError and then has written nothing."""
        self.newest.save(self.last, now=self.space.is_short)
        try:
            self._db.execute("BEGIN IMMEDIATE")
            self._write_within_transaction(rows)
            self._db.execute("COMMIT")
        except sqlite3.Error:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            self._pruner.revisit(1)
            raise
        for changed in self._saved_with_commit:
            changed.saved()
        if rows:
            self.last = rows[-1].seq
            self.newest.learn(rows)
            for on_committed in self._listeners:
                on_committed(rows)
            if self._superseded:
                self._on_superseded(self._superseded)
        self.space.measure()

    def _write_within_transaction(self, rows: list[Row]) -> None:
        self._take_over_changes()
        self._pruner.prune(self.space)
        if rows:
            self._db.executemany("INSERT INTO reading VALUES (?, ?, ?, ?, ?)", rows)
            self._db.execute("UPDATE outbox SET last = ?", [rows[-1].seq])
            not_newer = self.newest.not_newer(rows)
            late.save(self._db, not_newer)
            self._superseded = superseded.by_new_rows(self._db, self.newest, rows, not_newer)
        for changed in self._saved_with_commit:
            changed.save()

    def _take_over_changes(self) -> None:
        """Read again what a command has changed in the file."""
        version = self._read_data_version()
        if version != self._data_version:
            self._data_version = version
            self.settlement.rejections.save()
            self.settlement.rejections.forget_discarded()
            self.verification.given_up.clear()  # some may have been forgotten: look again
            self._tally.load()

    def _read_data_version(self) -> int:
        """Return a number that changes when another connection has written to the file."""
        return int(self._db.execute("PRAGMA data_version").fetchone()[0])
