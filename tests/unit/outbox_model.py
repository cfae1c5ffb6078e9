"""A model of what the outbox must hold, beside a real one, and what must always be true of it."""

import asyncio
import json
from collections.abc import Iterable
from contextlib import ExitStack
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from unittest.mock import patch

from hypothesis.stateful import RuleBasedStateMachine, invariant

from collector.outbox.books import Books, read_books
from collector.outbox.outbox import Outbox
from collector.outbox.row import Draft, Row

MAX_BYTES = 120_000  # an empty outbox has about half of it
KEEP_S = 3600
ALL = 10**6
# Only crashes of the process are tried, so the files may be in memory, where fsync is free.
MEMORY = Path("/dev/shm")  # noqa: S108


@dataclass
class Settled:
    """What became of readings, by sequence number."""

    stored: set[int] = field(default_factory=set)
    rejected: dict[int, str] = field(default_factory=dict)
    discarded: set[int] = field(default_factory=set)  # of the rejected
    published: set[int] = field(default_factory=set)
    healed: int = 0
    unverified: int = 0


def members(ranges: Iterable[tuple[int, int]]) -> set[int]:
    return {number for first, last in ranges for number in range(first, last + 1)}


class OutboxModel(RuleBasedStateMachine):
    """Whatever happens to the outbox, what it has committed is stored, rejected or pending."""

    kind: type[Outbox] = Outbox

    def __init__(self) -> None:
        super().__init__()
        self.directory = TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None)
        self.files = 0
        self.fill = 0.0  # before the commit
        self.path = Path(self.directory.name, "0.db")
        self.now = 1_700_000_000.0
        clock = SimpleNamespace(
            time=lambda: self.now,
            time_ns=lambda: int(self.now * 1e9),
            monotonic=lambda: self.now,
        )
        self.clock = ExitStack()
        for module in ("newest", "outbox", "pruner"):
            self.clock.enter_context(patch(f"collector.outbox.{module}.time", clock))
        for bound in ("pruner._MAX_ROWS", "late._MAX_FORGOTTEN", "newest._MAX_FORGOTTEN"):
            self.clock.enter_context(patch(f"collector.outbox.{bound}", 3))
        self.loop = asyncio.new_event_loop()
        self.committed: list[tuple[Draft, float, str]] = []  # number 1 first; when; in which run
        self.runs: list[str] = []
        self.verified: set[int] = set()
        self.since = {"1/temp": 0, "2/temp": 0}  # the numbers up to which all have gone
        self.settled = Settled()
        self.on_disk = Settled()
        self.pruned: set[int] = set()  # no longer in the file
        self.open()
        self.id = self.outbox.id

    def open(self) -> None:
        async def open_() -> Outbox:
            return self.kind(self.path, max_bytes=MAX_BYTES, keep_s=KEEP_S)

        self.outbox = self.loop.run_until_complete(open_())
        self.runs.append(self.outbox.run)
        self.verified = set()

    def teardown(self) -> None:
        self.outbox.close()
        self.loop.close()
        self.clock.close()
        self.directory.cleanup()

    @invariant()
    def the_books_balance(self) -> None:
        """In memory and in the file."""
        outbox, settled, last = self.outbox, self.settled, len(self.committed)
        numbers = {*range(1, last + 1)}
        assert (outbox.id, outbox.last) == (self.id, last)
        assert outbox.books == self._books(settled)
        assert outbox.pending == last - len(settled.stored) - len(settled.rejected)
        assert members(outbox.settlement.unsettled(1, last)) == numbers - settled.stored - {
            *settled.rejected
        }
        assert members(outbox.published(1, ALL)) == settled.published
        assert read_books(self.path) == self._books(self.on_disk)

    def _books(self, settled: Settled) -> Books:
        last, stored, rejected = len(self.committed), len(settled.stored), len(settled.rejected)
        return Books(
            accepted=last,
            stored=stored,
            rejected=rejected,
            pending=last - stored - rejected,
            healed=settled.healed,
            unverified=settled.unverified,
            discarded=len(settled.discarded),
        )

    @invariant()
    def nothing_is_lost_or_revived(self) -> None:
        """Everything but what was pruned can be read, and nothing else."""
        rows = {row.seq: row for row in self.outbox.read(1, ALL, ALL)}
        numbers = {*range(1, len(self.committed) + 1)}
        assert rows.keys() == numbers - self.pruned
        assert self.pruned <= self.on_disk.stored | self.on_disk.discarded
        for seq, row in rows.items():
            draft, at, run = self.committed[seq - 1]
            assert (row.at, row.ns, row.series) == (int(at), draft.ns, draft.series)
            told = json.loads(row.payload)
            assert told == {"id": f"{self.id}.{run}:{seq}", **json.loads(draft.body)}

    @invariant()
    def the_newest_of_a_series_is_known(self) -> None:
        """Readings that were never committed do not count; those that are all gone need not."""
        for series, since in self.since.items():
            times = [draft.ns for draft, _, _ in self.committed if draft.series == series]
            kept = [draft.ns for draft, _, _ in self.committed[since:] if draft.series == series]
            known = [ns for ns in range(-9, 9) if self.outbox.is_newest(Row(0, 0, ns, series, b""))]
            ends = {max(times, default=-9), max(kept, default=-9)}
            assert known in [[*range(newest, 9)] for newest in ends]

    @invariant()
    def corrections_are_known(self) -> None:
        """Of each reading that is here, the last one of the same point that is not rejected."""
        last = {
            (draft.series, draft.ns): seq
            for seq, (draft, _, _) in enumerate(self.committed, 1)
            if seq not in self.settled.rejected
        }
        rows = self.outbox.read(1, ALL, ALL)
        expected = {row.seq: last.get((row.series, row.ns), 0) for row in rows}
        assert self.outbox.corrections(rows) == {
            seq: later for seq, later in expected.items() if later > seq
        }

    def _before_commit(self) -> None:
        self.fill = self.outbox.space.used / MAX_BYTES

    def _after_commit(self) -> None:
        """What is pruned is old or in the way, and was read back unless it is much in the way."""
        pruned = {*range(1, len(self.committed) + 1)}
        pruned -= {row.seq for row in self.outbox.read(1, ALL, ALL)}
        for seq in pruned - self.pruned:
            if seq in self.settled.rejected:
                assert self.fill >= 1 / 2
                self.settled.discarded.add(seq)
            elif seq in self.verified:
                assert self.fill >= 1 / 2 or self.committed[seq - 1][1] < self.now - KEEP_S
            else:
                assert seq in self.settled.stored
                assert self.fill > 3 / 4
                self.settled.unverified += 1
        assert pruned >= self.pruned
        self.pruned = pruned
        self.on_disk = deepcopy(self.settled)
        for series in self.since:
            last = len(self.committed)
            numbers = (n for n in range(last, 0, -1) if self.committed[n - 1][0].series == series)
            if all(number in pruned for number in numbers):
                self.since[series] = last
