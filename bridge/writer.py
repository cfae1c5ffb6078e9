"""Collects readings during a write, then writes them together until each is stored or rejected."""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence

from bridge.aside import Aside
from bridge.batch import Batch, Part, sort_out
from bridge.decode import Delivery
from bridge.state import State
from bridge.storage import Outcome, Result, Storage
from telemetry.backoff import Backoff
from telemetry.dead_letters.letter import DeadLetter
from telemetry.durations import SLOW_S, Histogram, Longest
from telemetry.status import INTERVAL_S

_FIRST_DELAY_S = 0.1
_LONGEST_DELAY_S = 5.0
# During a write that takes longer, the state is "waiting", so that collectors replay nothing.
_SLOW_S = 2.0
# Small writes cost more per reading than large ones. Before a write the writer therefore lingers,
# not at all when idle and up to this long when this many readings arrive per second.
_LINGER_S = 0.05
_BUSY_RATE = 5000
# Records of counters; in a long outage the latest are kept.
_MAX_COUNTERS = 1000
# Someone may have replaced the database between two writes.
_PREPARED_S = 60.0
# A write that fails is repeated as it is, then in halves; a single reading is set aside then.
_ATTEMPTS = 2
# After a failure, each successful write allows the next to be larger by this part.
_GROWTH = 8


class Writer:
    """Turns deliveries into few large writes, and tells `settle` the outcome of each."""

    def __init__(
        self,
        storage: Storage,
        batch_max: int,
        settle: Callable[[Batch], None],
        on_state: Callable[[], None],
    ) -> None:
        self._storage = storage
        self._batch_max = batch_max
        self._settle = settle
        self.state = State(storage.name, on_state)
        self.writes = 0
        self.failures = 0
        self.rejected = 0
        self.write_times = Histogram(SLOW_S)
        self.longest_write = Longest(INTERVAL_S)
        self.aside = Aside(storage.point)
        self._size = batch_max  # of the next write, at most
        self._failures_in_row = 0
        self._backoff = Backoff(_FIRST_DELAY_S, _LONGEST_DELAY_S)
        self._prepared_at = -_PREPARED_S
        self._deliveries: list[Delivery] = []
        self._unreadable: list[DeadLetter] = []
        self._counters: deque[str] = deque(maxlen=_MAX_COUNTERS)
        self._arrived = asyncio.Event()
        self._taken_at = 0.0

    @property
    def queued(self) -> int:
        """How many messages are held for the next write."""
        return len(self._deliveries) + len(self._unreadable)

    def add(self, delivery: Delivery) -> None:
        """Queue a reading for the next write."""
        self._deliveries.append(delivery)
        self._arrived.set()

    def add_unreadable(self, letter: DeadLetter) -> None:
        """Queue a message that cannot be stored: it is settled together with the next batch."""
        self._unreadable.append(letter)
        self._arrived.set()

    def add_counters(self, record: str) -> None:
        """Queue a record of counters: it is written once, and lost if that fails."""
        self._counters.append(record)
        self._arrived.set()

    def retry(self) -> None:
        """Look at what was set aside, also when nothing arrives."""
        self._arrived.set()

    async def run(self) -> None:
        """Write for ever."""
        while True:
            await self._arrived.wait()
            await self._linger()
            self._arrived.clear()
            await self._write_counters()
            await self._write_aside()
            deliveries, unreadable = self._take()
            await self._store(deliveries)
            if deliveries or unreadable:
                self._settle(Batch(unreadable=unreadable))

    async def _linger(self) -> None:
        rate = len(self._deliveries) / (time.monotonic() - self._taken_at)
        if len(self._deliveries) < self._batch_max:
            await asyncio.sleep(_LINGER_S * min(1.0, rate / _BUSY_RATE))

    def _take(self) -> tuple[list[Delivery], list[DeadLetter]]:
        """Take the next batch out of the queue."""
        deliveries = self._deliveries[: self._batch_max]
        self._deliveries = self._deliveries[self._batch_max :]
        unreadable, self._unreadable = self._unreadable, []
        self._taken_at = time.monotonic()
        if self._deliveries:
            self._arrived.set()
        return deliveries, unreadable

    async def _write_counters(self) -> None:
        records = list(self._counters)
        self._counters.clear()
        if not records:
            return
        result = await self._attempt(records)
        if result.outcome in {Outcome.STORED, Outcome.REJECTED}:
            self.state.wait(None)

    async def _write_aside(self) -> None:
        """Write one of the readings that were set aside, if it is time."""
        delivery = self.aside.due()
        if delivery is None:
            return
        self.writes += 1
        result = await self._write([delivery.record])
        if result.outcome is Outcome.STORED:
            self._known(Batch(stored=[delivery]))
        elif result.outcome is Outcome.REJECTED:
            self._known(Batch(rejected=[(delivery, result.detail)]))
        else:
            self.aside.failed(delivery)
            return
        self.aside.settled(delivery)

    async def _store(self, deliveries: Part) -> None:
        """Write until all are stored, rejected or set aside; settle each part once it is known."""
        parts: deque[Part] = deque([deliveries])
        answered = False
        while part := self._next(parts):
            result = await self._attempt([delivery.record for delivery in part])
            if result.outcome is Outcome.STORED:
                self._known(Batch(stored=part))
                self._size = min(self._batch_max, self._size + self._size // _GROWTH + 1)
            elif result.outcome is Outcome.REJECTED:
                known, unknown = sort_out(part, result, self._storage.time)
                if unknown and self.state.waiting is None:  # nothing is replayed meanwhile
                    name = self._storage.name
                    self.state.wait(f"{name} to tell what it rejects: {result.detail}")
                self._known(known)
                parts.extendleft(reversed(unknown))
            else:
                await self._put_back(part, parts, result)
                continue
            answered = True
            self._failures_in_row = 0
            self._backoff.reset()
        if answered:
            self.state.wait(None)

    async def _put_back(self, part: Part, parts: deque[Part], result: Result) -> None:
        """Let a part be written again: as it is, in halves, or beside the others."""
        parts.appendleft(part)
        self._failures_in_row += result.outcome is Outcome.FAILED
        again = self._failures_in_row >= _ATTEMPTS
        if again and len(part) > 1:
            self._size = len(part) // 2
            self._failures_in_row = 0
            self._backoff.reset()
        elif again and not self.aside.is_full:
            self.aside.add(parts.popleft()[0])
            self._failures_in_row = 0
        else:
            await asyncio.sleep(self._backoff.next())

    def _next(self, parts: deque[Part]) -> Part:
        """Take the next part to write, of at most `_size`; empty if there is none."""
        while parts:
            part, repeated = self.aside.without(parts.popleft())
            if repeated:
                self._settle(Batch(repeated=repeated))
            if len(part) > self._size:
                parts.appendleft(part[self._size :])
                part = part[: self._size]
            if part:
                return part
        return ()

    def _known(self, batch: Batch) -> None:
        self.rejected += len(batch.rejected)
        if batch.stored or batch.rejected:
            self._settle(batch)
        self.state.note(batch)

    async def _attempt(self, records: Sequence[str]) -> Result:
        """Write once, and create the database if it is missing; report why it fails."""
        self.writes += 1
        name = self._storage.name
        slow = asyncio.get_running_loop().call_later(_SLOW_S, self.state.wait, f"{name} to answer")
        result = await self._prepare_and_write(records)
        slow.cancel()
        if result.outcome not in {Outcome.STORED, Outcome.REJECTED}:
            self.failures += 1
            self.state.wait(f"{name}: {result.detail}")
        return result

    async def _prepare_and_write(self, records: Sequence[str]) -> Result:
        if time.monotonic() - self._prepared_at >= _PREPARED_S:
            prepared = await self._storage.prepare()
            if prepared.outcome is not Outcome.STORED:
                return prepared
            self._prepared_at = time.monotonic()
        result = await self._write(records)
        if result.outcome is Outcome.NO_DATABASE:
            created = await self._storage.create()
            if created.outcome is Outcome.STORED:
                result = await self._write(records)
            else:
                result = Result(Outcome.WAIT, f"cannot create the database: {created.detail}")
        if result.outcome is Outcome.WAIT:  # then the next database may be another one
            self._prepared_at = -_PREPARED_S
        return result

    async def _write(self, records: Sequence[str]) -> Result:
        begun = time.monotonic()
        result = await self._storage.write(records)
        seconds = time.monotonic() - begun
        self.write_times.observe(seconds)
        self.longest_write.note(seconds)
        return result
