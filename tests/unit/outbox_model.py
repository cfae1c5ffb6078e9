"""A hypothesis state machine: the outbox on a real file, beside a model of what it must hold."""

import asyncio
import json
import shutil
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from unittest.mock import patch

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from collector.outbox.books import Books, read_books
from collector.outbox.outbox import Commit, Outbox, OutboxFull
from collector.outbox.row import Draft
from telemetry.receipt import Receipt, Rejection

MAX_BYTES = 100_000  # an empty outbox has about half of it
KEEP_S = 3600
ALL = 10**6
# Only crashes of the process are tried, so the files may be in memory, where fsync is free.
MEMORY = Path("/dev/shm")  # noqa: S108

DRAFTS = st.builds(
    lambda series, ns, size: Draft(series, ns, b'{"value":%d}' % 10**size),
    st.sampled_from(["1/temp", "2/temp"]),
    st.integers(-3, 3),
    st.sampled_from([0, 1, 4000]),
)
REQUESTS = st.lists(st.lists(DRAFTS, min_size=1, max_size=4), min_size=1, max_size=3)
SEQS = st.integers(1, 9) | st.integers(1, 40)
RECEIPTS = st.builds(
    Receipt,
    st.lists(st.tuples(SEQS, st.integers(0, 9)).map(lambda t: (t[0], sum(t))), max_size=3),
    st.lists(st.builds(Rejection, SEQS, st.sampled_from(["too old", "wrong type"])), max_size=3),
)


@dataclass
class Settled:
    """What became of readings, by sequence number."""

    stored: set[int] = field(default_factory=set)
    rejected: dict[int, str] = field(default_factory=dict)
    published: set[int] = field(default_factory=set)


def members(ranges: Iterable[tuple[int, int]]) -> set[int]:
    return {number for first, last in ranges for number in range(first, last + 1)}


async def ended(commits: Sequence[Commit | None]) -> None:
    if begun := [commit for commit in commits if commit]:
        await asyncio.wait(begun)


class OutboxMachine(RuleBasedStateMachine):
    """Whatever happens to the outbox, what it has committed is stored, rejected or pending."""

    kind: type[Outbox] = Outbox

    def __init__(self) -> None:
        super().__init__()
        self.directory = TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None)
        self.files = 0
        self.had_room = True
        self.path = Path(self.directory.name, "0.db")
        self.now = 1_700_000_000.0
        clock = SimpleNamespace(time=lambda: self.now, monotonic=lambda: self.now)
        self.clock = ExitStack()
        for module in ("newest", "outbox", "pruner"):
            self.clock.enter_context(patch(f"collector.outbox.{module}.time", clock))
        self.loop = asyncio.new_event_loop()
        self.committed: list[tuple[Draft, float]] = []  # number 1 first; when
        self.settled = Settled()
        self.on_disk = Settled()
        self.pruned: set[int] = set()  # no longer in the file
        self.open()
        self.id = self.outbox.id

    def open(self) -> None:
        async def open_() -> Outbox:
            return self.kind(self.path, max_bytes=MAX_BYTES, keep_s=KEEP_S)

        self.outbox = self.loop.run_until_complete(open_())

    def teardown(self) -> None:
        self.outbox.close()
        self.loop.close()
        self.clock.close()
        self.directory.cleanup()

    @rule(requests=REQUESTS)
    def append(self, requests: list[list[Draft]]) -> None:
        """Accept several requests in one commit."""

        async def scenario() -> list[object]:
            commits = [self._append(readings) for readings in requests]
            await ended(commits)
            return [commit and (commit.exception() or commit.result()) for commit in commits]

        self._before_commit()
        outcomes = self.loop.run_until_complete(scenario())
        for readings, outcome in zip(requests, outcomes, strict=True):
            if outcome is not None:
                first = len(self.committed) + 1
                assert outcome == (first, first + len(readings) - 1)
                self.committed += [(reading, self.now) for reading in readings]
        if any(outcomes):
            self._after_commit()

    def _append(self, readings: Sequence[Draft]) -> Commit | None:
        try:
            return self.outbox.append(readings)
        except OutboxFull:
            return None

    @rule(requests=st.just([]) | REQUESTS, torn=st.binary(max_size=50))
    def crash(self, requests: list[list[Draft]], torn: bytes) -> None:
        """Lose what was not on disk, these requests too, whatever the end of the log looks like."""

        async def scenario() -> None:
            commits = [self._append(readings) for readings in requests]
            self._copy(torn)
            await ended(commits)

        self.loop.run_until_complete(scenario())
        self._reopen_copy()

    @rule()
    def restart(self) -> None:
        """Close and open again."""
        self._before_commit()
        self.outbox.close()
        self.open()
        self._after_commit()

    @rule()
    def commit(self) -> None:
        """Write what has changed, as the collector does every second."""
        self._before_commit()
        self.outbox.commit()
        self._after_commit()

    @rule(receipt=RECEIPTS)
    def settle(self, receipt: Receipt) -> None:
        """Apply a receipt for any numbers."""
        self.outbox.settle(receipt)
        last = len(self.committed)
        for first, end in receipt.stored:
            numbers = range(first, min(end, last) + 1)
            self.settled.stored |= set(numbers)
            for seq in numbers:
                self.settled.rejected.pop(seq, None)
        for rejection in receipt.rejected:
            if rejection.seq <= last and rejection.seq not in self.settled.stored:
                self.settled.rejected.setdefault(rejection.seq, rejection.reason)

    @rule(but=st.integers(0, 2))
    def settle_the_first(self, but: int) -> None:
        """Apply the usual receipt: for everything but the last few."""
        if len(self.committed) > but:
            self.settle(Receipt([(1, len(self.committed) - but)]))

    @rule(seq=SEQS)
    def publish(self, seq: int) -> None:
        """Mark a reading as published."""
        if seq <= len(self.committed):
            self.outbox.mark_published(seq)
            self.settled.published.add(seq)

    @rule()
    def ask_for_reasons(self) -> None:
        """Compare the reasons of what was rejected."""
        self._before_commit()
        assert dict(self.outbox.reasons(1, ALL)) == self.settled.rejected
        self._after_commit()

    @rule(seconds=st.sampled_from([1, KEEP_S + 1]))
    def pass_time(self, seconds: int) -> None:
        self.now += seconds

    @invariant()
    def the_books_balance(self) -> None:
        """In memory and in the file."""
        outbox, settled, last = self.outbox, self.settled, len(self.committed)
        numbers = {*range(1, last + 1)}
        assert (outbox.id, outbox.last) == (self.id, last)
        assert (outbox.stored, outbox.rejected) == (len(settled.stored), len(settled.rejected))
        assert outbox.pending == last - len(settled.stored) - len(settled.rejected)
        assert members(outbox.unsettled(1, last)) == numbers - settled.stored - {*settled.rejected}
        assert members(outbox.published(1, ALL)) == settled.published
        stored, refused = len(self.on_disk.stored), len(self.on_disk.rejected)
        assert read_books(self.path) == Books(last, stored, refused, last - stored - refused)

    @invariant()
    def nothing_is_lost_or_revived(self) -> None:
        """Everything but what was pruned can be read, and nothing else."""
        rows = {row.seq: row for row in self.outbox.read(1, ALL, ALL)}
        numbers = {*range(1, len(self.committed) + 1)}
        assert rows.keys() == numbers - self.pruned
        assert self.pruned <= self.on_disk.stored
        for seq, row in rows.items():
            draft, at = self.committed[seq - 1]
            assert (row.at, row.ns, row.series) == (int(at), draft.ns, draft.series)
            told = json.loads(row.payload)
            assert told == {"id": f"{self.id}:{seq}", **json.loads(draft.body)}

    @invariant()
    def the_newest_of_a_series_is_known(self) -> None:
        """Readings that were never committed do not count."""
        for series in ("1/temp", "2/temp"):
            newest = max(
                (draft.ns for draft, _ in self.committed if draft.series == series), default=-9
            )
            known = [ns for ns in range(-9, 9) if self.outbox.is_newest(series, ns)]
            assert known == [*range(newest, 9)]

    def _before_commit(self) -> None:
        self.had_room = self.outbox.used_bytes < MAX_BYTES // 2

    def _after_commit(self) -> None:
        """Only stored rows are pruned, and only old ones unless space was needed."""
        self.on_disk = deepcopy(self.settled)
        pruned = {*range(1, len(self.committed) + 1)}
        pruned -= {row.seq for row in self.outbox.read(1, ALL, ALL)}
        for seq in pruned - self.pruned:
            assert seq in self.settled.stored
            assert not self.had_room or self.committed[seq - 1][1] < self.now - KEEP_S
        assert pruned >= self.pruned
        self.pruned = pruned

    def _copy(self, torn: bytes) -> None:
        """Copy the files as they are now; `torn` begins another frame of the log."""
        self.files += 1
        self.old_path, self.path = self.path, Path(self.directory.name, f"{self.files}.db")
        shutil.copyfile(self.old_path, self.path)
        log = Path(f"{self.old_path}-wal")
        if log.exists():
            Path(f"{self.path}-wal").write_bytes(log.read_bytes() + torn)

    def _reopen_copy(self) -> None:
        self.outbox.close()  # the original
        self.settled = deepcopy(self.on_disk)
        self.open()
