"""Collects readings during a write, then writes them together until each is stored or rejected."""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import NamedTuple

from bridge.dead_letter import DeadLetter
from bridge.decode import Delivery
from bridge.storage import Outcome, Result, Storage
from telemetry.backoff import Backoff
from telemetry.mqtt import Message

logger = logging.getLogger(__name__)

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


class Batch(NamedTuple):
    """Messages whose outcome is known."""

    stored: list[Delivery]
    rejected: list[tuple[Delivery, str]]
    unreadable: list[DeadLetter]


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
        self._on_state = on_state
        self.reason: str | None = f"no answer yet from {storage.name}"
        """Why the bridge is waiting; None while it is storing."""
        self.writes = 0
        self.failures = 0
        self.rejected = 0
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

    def forget_before(self, epoch: int) -> None:
        """Drop queued messages of earlier connections that the broker redelivers on this one.

        Otherwise each reconnect during an outage would add as much as the broker has in flight.
        """

        def stays(message: Message) -> bool:
            return message.qos == 0 or message.epoch >= epoch

        self._deliveries = [d for d in self._deliveries if stays(d.message)]
        self._unreadable = [letter for letter in self._unreadable if stays(letter.message)]

    async def run(self) -> None:
        """Write for ever."""
        while True:
            await self._arrived.wait()
            await self._linger()
            self._arrived.clear()
            await self._write_counters()
            deliveries, unreadable = self._take()
            rejected = await self._store(deliveries) if deliveries else []
            self.rejected += len(rejected)
            if deliveries or unreadable:
                self._settle(Batch(_without(deliveries, rejected), rejected, unreadable))

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
        if records:
            await self._attempt(records)

    async def _store(self, deliveries: Sequence[Delivery]) -> list[tuple[Delivery, str]]:
        """Write until all but the rejected are stored; return the rejected with their reasons."""
        result = await self._write([delivery.record for delivery in deliveries])
        if result.outcome is Outcome.STORED:
            return []
        if len(deliveries) == 1:
            return [(deliveries[0], result.detail)]
        # The storage does not say which: halve. Writing the good ones twice is harmless.
        middle = len(deliveries) // 2
        return await self._store(deliveries[:middle]) + await self._store(deliveries[middle:])

    async def _write(self, records: Sequence[str]) -> Result:
        """Write again and again until the result is STORED, REJECTED or TOO_LARGE."""
        backoff = Backoff(_FIRST_DELAY_S, _LONGEST_DELAY_S)
        while True:
            result = await self._attempt(records)
            if result.outcome not in {Outcome.WAIT, Outcome.NO_DATABASE}:
                return result
            await asyncio.sleep(backoff.next())

    async def _attempt(self, records: Sequence[str]) -> Result:
        """Write once, and create the database if it is missing."""
        self.writes += 1
        name = self._storage.name
        slow = asyncio.get_running_loop().call_later(_SLOW_S, self._report, f"{name} to answer")
        result = await self._storage.write(records)
        slow.cancel()
        if result.outcome is Outcome.NO_DATABASE:
            result = await self._create_and_write(records)
        match result.outcome:
            case Outcome.STORED:
                self._report(None)
            case Outcome.WAIT | Outcome.NO_DATABASE:
                self.failures += 1
                self._report(f"{name}: {result.detail}")
        return result

    async def _create_and_write(self, records: Sequence[str]) -> Result:
        created = await self._storage.create()
        if created.outcome is Outcome.STORED:
            return await self._storage.write(records)
        return Result(Outcome.WAIT, f"cannot create the database: {created.detail}")

    def _report(self, reason: str | None) -> None:
        """Log and report a change of the state: storing, or waiting for this reason."""
        if reason == self.reason:
            return
        if reason is None:
            logger.info("%s stores", self._storage.name)
        else:
            logger.warning("waiting for %s", reason)
        self.reason = reason
        self._on_state()


def _without(deliveries: list[Delivery], rejected: list[tuple[Delivery, str]]) -> list[Delivery]:
    if not rejected:
        return deliveries
    gone = {id(delivery) for delivery, _ in rejected}
    return [delivery for delivery in deliveries if id(delivery) not in gone]
