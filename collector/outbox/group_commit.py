"""Gathers the readings of concurrent requests into one commit."""

import asyncio
import contextlib
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence

from collector.outbox.row import Row
from collector.outbox.schema import OutboxUnusable
from telemetry.durations import QUICK_S, Histogram

# Turns of the event loop that a commit waits for more requests to join: microseconds when none
# come. Their answers go out together, and so their clients' next requests arrive together.
_GATHER_TURNS = 3


class OutboxFull(Exception):
    """No room for more readings until some are stored; the text says which bound is reached."""


class OutboxBusy(Exception):
    """Another program is writing the outbox's file."""


# Resolves with the first and last sequence number once the readings are on disk.
Commit = asyncio.Future[tuple[int, int]]


class GroupCommit:
    """Hands rows to `write`, those of many requests at once, and resolves their commits.

    When `write` raises, it has written nothing.
    """

    def __init__(self, write: Callable[[list[Row]], None]) -> None:
        self._write = write
        self._loop = asyncio.get_running_loop()
        self._failure: asyncio.Future[None] = self._loop.create_future()
        self._commits: list[tuple[Commit, tuple[int, int]]] = []
        self.times = Histogram(QUICK_S)
        """Of the writes that had rows."""
        self.rows: list[Row] = []
        self.bytes = 0

    async def failed(self) -> None:
        """Wait for ever; raises OutboxUnusable when the disk fails."""
        await self._failure

    def check(self) -> None:
        """Raise OutboxUnusable when the disk has failed."""
        if self._failure.done():
            raise OutboxUnusable("the outbox could not be written; the collector is ending")

    def add(self, rows: Sequence[Row], size: int) -> Commit:
        """Put rows with payloads of `size` bytes into the next commit, which is soon."""
        if not self.rows:
            self._loop.call_soon(self._gather, _GATHER_TURNS)
        self.rows += rows
        self.bytes += size
        commit: Commit = self._loop.create_future()
        self._commits.append((commit, (rows[0].seq, rows[-1].seq)))
        return commit

    def commit(self) -> Exception | None:
        """Write what was gathered; to be called, too, when something else has to be written.

        Returns what those who wait for readings have been told, if that failed.
        """
        rows, self.rows, self.bytes = self.rows, [], 0
        commits, self._commits = self._commits, []
        begun = time.perf_counter()
        try:
            self._write(rows)
        except Exception as error:  # noqa: BLE001  whatever it is, nobody waits in vain
            failure = self.failure(error)
            for commit, _ in commits:
                if not commit.done():
                    commit.set_exception(failure)
            return failure
        if rows:
            self.times.observe(time.perf_counter() - begun)
        for commit, numbers in commits:
            if not commit.done():
                commit.set_result(numbers)
        return None

    def _gather(self, turns: int) -> None:
        if turns:
            self._loop.call_soon(self._gather, turns - 1)
        else:
            self.commit()

    @contextlib.contextmanager
    def failures(self) -> Iterator[None]:
        """Raise OutboxBusy, OutboxFull or OutboxUnusable for an error of SQLite."""
        try:
            yield
        except sqlite3.Error as error:
            raise self.failure(error) from None

    def failure(self, error: Exception) -> Exception:
        """Return what an error of SQLite or the disk means; OutboxUnusable is the end."""
        name = getattr(error, "sqlite_errorname", "")
        if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
            return OutboxBusy("another program is writing the outbox's file")
        if name == "SQLITE_FULL":
            return OutboxFull("the disk under the outbox is full")
        unusable = OutboxUnusable(f"the outbox cannot be used: {error}")
        if not self._failure.done():
            self._failure.set_exception(unusable)
        return unusable
