"""The outbox: what a 201 has promised, on disk until the bridge says that InfluxDB has it."""

import asyncio
import math
import shutil
import sqlite3
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from collector.newest import Newest
from collector.schema import OutboxUnusable, open_for_writing
from telemetry.ranges import Ranges
from telemetry.receipt import Receipt

# Left free on the disk, so that receipts can still be recorded and old rows be removed.
_DISK_RESERVE = 8 << 20
_PRUNE_ROWS = 4000
# Turns of the event loop, some microseconds when nothing comes, in which requests join a commit:
# answers go out together, and what clients send next arrives little by little.
_TURNS = 3


class OutboxFull(Exception):
    """No room for more readings until some are stored; `reason` says which bound is reached."""


class Accepted(NamedTuple):
    """A valid reading on its way in."""

    topic: str  # below readings/
    ns: int
    body: bytes  # the JSON object that goes to MQTT, still without its id


class Row(NamedTuple):
    """A reading in the outbox: `at` is when it was accepted (Unix time, s), `ns` its own time."""

    seq: int
    at: int
    ns: int
    topic: str
    payload: bytes


Commit = asyncio.Future[tuple[int, int]]


class Outbox:
    """A durable queue of readings: append, commit, settle, prune.

    Everything runs on the event loop, the fsync too: while the disk works, requests gather and
    share the next commit, and no thread has to be woken (see bench/README.md).
    What is settled or published may be ahead of the disk by a second; a crash then merely sends
    those readings again.
    """

    def __init__(self, path: Path, *, max_bytes: int, keep_s: float) -> None:
        self._db, self._lock = open_for_writing(path)
        self._directory = path.parent
        self._max_bytes = max_bytes
        self._keep_s = keep_s
        self._loop = asyncio.get_running_loop()
        db = self._db
        self.id: str
        self.last: int
        self.id, self.last = db.execute("SELECT id, last FROM outbox").fetchone()
        self.settled = Ranges(db.execute("SELECT first, last FROM settled ORDER BY first"))
        self.published = Ranges(db.execute("SELECT first, last FROM published ORDER BY first"))
        self.refused = Ranges(db.execute("SELECT seq, seq FROM rejected ORDER BY seq"))
        self._newest = Newest(db)
        (self._page_size,) = db.execute("PRAGMA page_size").fetchone()
        self._measure()
        self.failure: asyncio.Future[None] = self._loop.create_future()
        self.on_committed: list[Callable[[Sequence[Row]], None]] = []
        self._head = b'{"id":"%b:' % self.id.encode()
        self._group: list[Row] = []
        self._group_bytes = 0
        self._waiting: list[tuple[Commit, tuple[int, int]]] = []
        # What the next commit also has to write: new members of the two sets, other statements.
        self._newly = {"settled": Ranges(), "published": Ranges()}
        self._statements: list[tuple[str, Sequence[object]]] = []
        self._pruned_to = 0

    @property
    def stored(self) -> int:
        """How many readings InfluxDB has."""
        return len(self.settled) - len(self.refused)

    @property
    def rejected(self) -> int:
        """How many readings InfluxDB has refused for good."""
        return len(self.refused)

    @property
    def pending(self) -> int:
        """How many committed readings have no receipt."""
        return self.last - len(self.settled)

    @property
    def full(self) -> str:
        """Why no reading can be taken now, or "" while there is room."""
        return self._full if self._room <= 0 else ""

    def append(self, readings: Sequence[Accepted]) -> Commit:
        """Put the readings into the next commit and number them.

        The future ends with that commit and gives the first and last sequence number.
        Raises OutboxFull, having taken none of them; so does the future when the disk fills in
        the middle. On any other failure of the disk the future raises OutboxUnusable, and so
        does `failure`: the collector cannot go on, and OutboxUnusable is raised here from then on.
        """
        if self.failure.done():
            raise OutboxUnusable("the outbox could not be written; the collector is ending")
        before, at = self.last + len(self._group), int(time.time())
        rows = [
            Row(
                seq,
                at,
                reading.ns,
                reading.topic,
                b'%b%d",%b' % (self._head, seq, reading.body[1:]),
            )
            for seq, reading in enumerate(readings, before + 1)
        ]
        size = sum(len(row.payload) for row in rows)
        if self._group_bytes + size > self._room:
            raise OutboxFull(self._full)
        if not self._group:
            self._loop.call_soon(self._gather, _TURNS)
        self._group += rows
        self._group_bytes += size
        done: Commit = self._loop.create_future()
        self._waiting.append((done, (before + 1, before + len(rows))))
        return done

    def is_newest(self, topic: str, ns: int) -> bool:
        """Return whether no later reading of its series has been accepted."""
        return self._newest.holds(topic, ns)

    def commit(self) -> None:
        """Write the gathered readings and all that has changed since, in one fsync."""
        group, self._group, self._group_bytes = self._group, [], 0
        waiting, self._waiting = self._waiting, []
        try:
            self._newest.save(self.last, now=self._room < self._max_bytes // 8)
            self._write(group)
            self._measure()
        except (sqlite3.Error, OSError) as error:
            self._fail(error, waiting)
            return
        if group:
            self.last = group[-1].seq
        for done, numbers in waiting:
            if not done.done():
                done.set_result(numbers)
        if group:
            for tell in self.on_committed:
                tell(group)

    def read(self, first: int, last: int, limit: int) -> list[Row]:
        """Return the first `limit` rows of first..last."""
        rows = self._db.execute(
            "SELECT * FROM reading WHERE seq BETWEEN ? AND ? ORDER BY seq LIMIT ?",
            [first, last, limit],
        )
        return [Row(*row) for row in rows]

    def mark_published(self, seq: int) -> None:
        """Note that the broker has this reading: from now on it is sent again on replay/ only."""
        self.published.add(seq, seq)
        self._newly["published"].add(seq, seq)

    def settle(self, receipt: Receipt) -> None:
        """Apply a receipt. Stored is final; a refused reading may still be stored later."""
        for first, last in receipt.stored:
            self._settle(first, min(last, self.last))
            for a, b in list(self.refused.within(first, last)):
                self.refused.remove(a, b)
                self._statements.append(("DELETE FROM rejected WHERE seq BETWEEN ? AND ?", (a, b)))
        for seq, reason in ((r.seq, r.reason) for r in receipt.rejected):
            if seq not in self.settled and seq <= self.last:
                self._settle(seq, seq)
                self.refused.add(seq, seq)
                self._statements.append(("INSERT INTO rejected VALUES (?, ?)", (seq, reason)))

    def reasons(self, first: int, last: int) -> list[tuple[int, str]]:
        """Return the sequence numbers in first..last that InfluxDB refused, and why."""
        self.commit()
        return self._db.execute(
            "SELECT seq, reason FROM rejected WHERE seq BETWEEN ? AND ?", [first, last]
        ).fetchall()

    def close(self) -> None:
        """Write what has changed and let the next collector have the file."""
        self.commit()
        self._db.close()
        self._lock.close()

    def _gather(self, turns: int) -> None:
        """Commit after so many more turns of the loop."""
        if turns:
            self._loop.call_soon(self._gather, turns - 1)
        else:
            self.commit()

    def _settle(self, first: int, last: int) -> None:
        if first <= last:
            self.settled.add(first, last)
            self._newly["settled"].add(first, last)
            self._pruned_to = min(self._pruned_to, first - 1)

    def _write(self, group: list[Row]) -> None:
        db = self._db
        db.execute("BEGIN IMMEDIATE")
        try:
            if group:
                db.executemany("INSERT INTO reading VALUES (?, ?, ?, ?, ?)", group)
                db.execute("UPDATE outbox SET last = ?", [group[-1].seq])
            for sql, parameters in self._statements:
                db.execute(sql, parameters)
            for table, ranges in (("settled", self.settled), ("published", self.published)):
                for first, _ in self._newly[table]:
                    whole = ranges.around(first)
                    db.execute(f"DELETE FROM {table} WHERE first BETWEEN ? AND ?", whole)  # noqa: S608
                    db.execute(f"INSERT INTO {table} VALUES (?, ?)", whole)  # noqa: S608
            self._prune()
            db.execute("COMMIT")
        except sqlite3.Error:
            if db.in_transaction:
                db.execute("ROLLBACK")
            raise
        self._newest.learn(self._newest.among((row.topic, row.ns) for row in group))
        self._newly["settled"].clear()
        self._newly["published"].clear()
        self._statements.clear()

    def _fail(self, error: Exception, waiting: list[tuple[Commit, tuple[int, int]]]) -> None:
        outcome: Exception = OutboxUnusable(f"the outbox cannot be written: {error}")
        if getattr(error, "sqlite_errorname", "") == "SQLITE_FULL":
            outcome = OutboxFull("the disk under the outbox is full")
        elif not self.failure.done():
            self.failure.set_exception(outcome)
        for done, _ in waiting:
            if not done.done():
                done.set_exception(outcome)

    def _prune(self) -> None:
        """Remove some rows that InfluxDB has, when they are old or take half of the room."""
        roomy = self.bytes < self._max_bytes // 2
        accepted_before = time.time() - self._keep_s if roomy else math.inf
        for first, last in self.settled.within(self._pruned_to + 1, self._newest.saved_to):
            oldest = self._db.execute(
                "SELECT seq, at FROM reading WHERE seq BETWEEN ? AND ? ORDER BY seq LIMIT 1",
                [first, last],
            ).fetchone()
            if oldest is None:
                self._pruned_to = last
                continue
            seq, at = oldest
            if at < accepted_before:
                until = min(last, seq + _PRUNE_ROWS - 1)
                (young,) = self._db.execute(
                    "SELECT min(seq) FROM reading WHERE seq BETWEEN ? AND ? AND at >= ?",
                    [seq, until, accepted_before],
                ).fetchone()
                self._pruned_to = until if young is None else young - 1
                self._db.execute(
                    "DELETE FROM reading WHERE seq BETWEEN ? AND ?"
                    " AND seq NOT IN (SELECT seq FROM rejected)",
                    [seq, self._pruned_to],
                )
            return

    def _measure(self) -> None:
        """Find out how many bytes the outbox uses, and how many it may still take."""
        (pages,) = self._db.execute("PRAGMA page_count").fetchone()
        (free_pages,) = self._db.execute("PRAGMA freelist_count").fetchone()
        self.bytes = (pages - free_pages) * self._page_size
        self._room = self._max_bytes - self.bytes
        self._full = f"the outbox holds its {self._max_bytes} bytes (OUTBOX_MAX_BYTES)"
        on_disk = shutil.disk_usage(self._directory).free - _DISK_RESERVE
        if on_disk < self._room:
            self._room = on_disk
            self._full = "the disk under the outbox is full"
