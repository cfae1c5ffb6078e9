"""Gathers readings while InfluxDB is busy with the last ones, and writes until each is settled."""

import asyncio
import logging
import random
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import NamedTuple

from bridge.answer import Meaning, meaning
from bridge.database import Answer, Database
from bridge.entry import Entry
from telemetry.mqtt import Message

logger = logging.getLogger(__name__)

_FIRST_DELAY_S = 0.1
_LONGEST_DELAY_S = 5.0
_OK = 200
# A write that takes longer is said to be waited for, so that nothing is replayed meanwhile.
_SLOW_S = 2.0
# Small writes cost InfluxDB and us more per reading than large ones. So the next write waits, not
# at all when idle, up to this long when this many readings a second come in.
_LINGER_S = 0.05
_BUSY_RATE = 5000
# About the pipeline itself; of a long outage the latest are kept.
_LINES = 1000


class Refused(NamedTuple):
    """A message that will not be stored, and why."""

    message: Message
    reason: str


class Batch(NamedTuple):
    """Messages whose fate is known."""

    stored: list[Entry]
    refused: list[tuple[Entry, str]]
    unreadable: list[Refused]


class Writer:
    """Turns what arrives into few large writes, and says of each message what became of it."""

    def __init__(
        self,
        database: Database,
        batch_max: int,
        settled: Callable[[Batch], None],
        on_state: Callable[[], None],
    ) -> None:
        self._database = database
        self._batch_max = batch_max
        self._settled = settled
        self._on_state = on_state
        self.reason = "no answer yet from InfluxDB"
        self.writes = 0
        self.failures = 0
        self.refused = 0
        self._entries: list[Entry] = []
        self._unreadable: list[Refused] = []
        self._lines: deque[str] = deque(maxlen=_LINES)
        self._arrived = asyncio.Event()
        self._taken_at = 0.0

    @property
    def waiting(self) -> int:
        """How many messages are held for the next write."""
        return len(self._entries) + len(self._unreadable)

    def add(self, entry: Entry) -> None:
        """Take a reading to write."""
        self._entries.append(entry)
        self._arrived.set()

    def add_unreadable(self, refused: Refused) -> None:
        """Take a message that is no reading: its fate is told in turn with the others."""
        self._unreadable.append(refused)
        self._arrived.set()

    def forget_before(self, epoch: int) -> None:
        """Drop what waits from earlier connections, if the broker sends it again on this one.

        Otherwise each new connection during an outage would add as much as may be in flight.
        """

        def stays(message: Message) -> bool:
            return message.qos == 0 or message.epoch >= epoch

        self._entries = [entry for entry in self._entries if stays(entry.message)]
        self._unreadable = [refused for refused in self._unreadable if stays(refused.message)]

    def add_line(self, line: str) -> None:
        """Take a line about the pipeline itself: written once, and lost if that fails."""
        self._lines.append(line)
        self._arrived.set()

    async def run(self) -> None:
        """Write for ever."""
        while True:
            await self._arrived.wait()
            await self._linger()
            self._arrived.clear()
            await self._write_lines()
            entries, self._entries = (
                self._entries[: self._batch_max],
                self._entries[self._batch_max :],
            )
            unreadable, self._unreadable = self._unreadable, []
            self._taken_at = time.monotonic()
            if self._entries:
                self._arrived.set()
            refused = await self._store(entries) if entries else []
            self.refused += len(refused)
            gone = {id(entry) for entry, _ in refused}
            stored = [entry for entry in entries if id(entry) not in gone] if gone else entries
            if entries or unreadable:
                self._settled(Batch(stored, refused, unreadable))

    async def _linger(self) -> None:
        rate = len(self._entries) / (time.monotonic() - self._taken_at)
        if len(self._entries) < self._batch_max:
            await asyncio.sleep(_LINGER_S * min(1.0, rate / _BUSY_RATE))

    async def _write_lines(self) -> None:
        lines = list(self._lines)
        self._lines.clear()
        if lines:
            await self._attempt(lines)

    async def _store(self, entries: Sequence[Entry]) -> list[tuple[Entry, str]]:
        """Write until InfluxDB has all of them but those that it refuses for good: these."""
        answer = await self._write([entry.line for entry in entries])
        if answer is None:
            return []
        if len(entries) == 1:
            return [(entries[0], answer.body.strip())]
        # InfluxDB does not say which: halve. Writing the good ones twice is harmless.
        middle = len(entries) // 2
        return await self._store(entries[:middle]) + await self._store(entries[middle:])

    async def _write(self, lines: Sequence[str]) -> Answer | None:
        """Write once InfluxDB takes it; return its answer when it refuses, None when stored."""
        delay = _FIRST_DELAY_S
        while True:
            answer = await self._attempt(lines)
            match meaning(*answer):
                case Meaning.STORED:
                    return None
                case Meaning.REFUSED | Meaning.TOO_LARGE:
                    return answer
            await asyncio.sleep(random.uniform(delay / 2, delay))  # noqa: S311 - jitter
            delay = min(2 * delay, _LONGEST_DELAY_S)

    async def _attempt(self, lines: Sequence[str]) -> Answer:
        """Write once, into a database that is made when it is missing."""
        self.writes += 1
        slow = asyncio.get_running_loop().call_later(_SLOW_S, self._say, "InfluxDB to answer")
        answer = await self._database.write(lines)
        slow.cancel()
        if meaning(*answer) is Meaning.NO_DATABASE:
            created = await self._database.create()
            if created.status == _OK:
                answer = await self._database.write(lines)
            else:  # whatever it says, it says nothing of the readings
                answer = Answer(0, f"cannot create the database: {created.status} {created.body}")
        match meaning(*answer):
            case Meaning.STORED:
                self._say("")
            case Meaning.WAIT | Meaning.NO_DATABASE:
                self.failures += 1
                self._say(f"InfluxDB: {answer.status or ''}".rstrip() + f" {answer.body}".rstrip())
        return answer

    def _say(self, reason: str) -> None:
        """Tell of a change: InfluxDB stores, or does not for this reason."""
        if reason != self.reason:
            logger.info("waiting for %s" if reason else "InfluxDB stores%s", reason)
            self.reason = reason
            self._on_state()
