"""A hypothesis state machine: whatever may happen to an outbox on a real file."""

import asyncio
import shutil
from collections.abc import Sequence
from copy import deepcopy
from pathlib import Path

from hypothesis import strategies as st
from hypothesis.stateful import rule
from msgspec.structs import replace

from collector.outbox.group_commit import Commit, OutboxFull
from collector.outbox.row import Draft
from telemetry.receipt import Receipt, Rejection
from tests.unit.outbox_model import ALL, KEEP_S, OutboxModel, members

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


async def ended(commits: Sequence[Commit | None]) -> None:
    if begun := [commit for commit in commits if commit]:
        await asyncio.wait(begun)


class OutboxMachine(OutboxModel):
    """Whatever happens to the outbox, what it has committed is stored, rejected or pending."""

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
                self.committed += [(reading, self.now, self.runs[-1]) for reading in readings]
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
        verified = self.verified
        self.outbox.close()
        self.open()
        self.verified = verified
        self._after_commit()
        self.verified = set()

    @rule()
    def commit(self) -> None:
        """Write what has changed, as the collector does every second."""
        self._before_commit()
        self.outbox.commit()
        self._after_commit()

    @rule(receipt=RECEIPTS)
    def settle(self, receipt: Receipt) -> None:
        """Apply a receipt for any numbers, and any run."""
        for run in self.runs:
            self.outbox.settle(replace(receipt, run=run))
        last = len(self.committed)
        for first, end in receipt.stored:
            numbers = {*range(first, min(end, last) + 1)} - self.settled.discarded
            self.settled.stored |= numbers
            for seq in numbers:
                self.settled.rejected.pop(seq, None)
        for rejection in receipt.rejected:
            if rejection.seq <= last and rejection.seq not in self.settled.stored:
                self.settled.rejected.setdefault(rejection.seq, rejection.reason)

    @rule(receipt=RECEIPTS, which=st.integers(0, 9))
    def settle_one_run(self, receipt: Receipt, which: int) -> None:
        """Apply what a receipt says about the numbers of its own run, and nothing else."""
        run = self.runs[which % len(self.runs)]
        own = [seq for seq, (_, _, its) in enumerate(self.committed, 1) if its == run]
        told = self.outbox.settle(replace(receipt, run=run))
        named = members(receipt.ranges)
        assert named & {*own} - self._of_forgotten_runs() <= members(told.ranges) <= named & {*own}
        assert self.outbox.settle(replace(receipt, run="another")) == Receipt()
        self.settle(told)

    def _of_forgotten_runs(self) -> set[int]:
        """Return the numbers of runs of which nothing is left."""
        kept = {row.seq for row in self.outbox.read(1, ALL, ALL)}
        runs = {self.committed[seq - 1][2] for seq in kept} | {self.runs[-1]}
        numbered = enumerate(self.committed, 1)
        return {seq for seq, (_, _, run) in numbered if run not in runs and seq < min(kept | {ALL})}

    @rule(but=st.integers(0, 2))
    def settle_the_first(self, but: int) -> None:
        """Apply the usual receipt: for everything but the last few."""
        if len(self.committed) > but:
            self.settle(Receipt([(1, len(self.committed) - but)]))

    @rule(first=SEQS, count=st.integers(0, 20))
    def verify(self, first: int, count: int) -> None:
        """Note that some of what is stored was read back."""
        self.outbox.verify(first, first + count)
        self.verified |= self.settled.stored & {*range(first, first + count + 1)}

    @rule(seq=SEQS)
    def heal(self, seq: int) -> None:
        """Reopen a stored reading."""
        if seq in self.settled.stored:
            gone = seq in self.pruned
            self._before_commit()
            kept = self.outbox.reopening.heal([(seq, seq)])
            if not gone:  # else there is nothing to commit
                self.verified.discard(seq)
                self.settled.stored.discard(seq)
                self._after_commit()
            assert kept == ([] if gone else [(seq, seq)])
            self.settled.healed += len(kept)

    @rule(seq=SEQS)
    def publish(self, seq: int) -> None:
        """Mark a reading as published."""
        if seq <= len(self.committed):
            self.outbox.mark_published(seq)
            self.settled.published.add(seq)

    @rule()
    def ask_for_reasons(self) -> None:
        """Compare the reasons of what was rejected, on disk or not."""
        rejected = self.settled.rejected
        kept = {seq: reason for seq, reason in rejected.items() if seq not in self.pruned}
        assert dict(self.outbox.reasons(1, ALL)) == kept

    @rule(seconds=st.sampled_from([1, KEEP_S + 1]))
    def pass_time(self, seconds: int) -> None:
        self.now += seconds

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
