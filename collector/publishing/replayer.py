"""Replays readings beside the running collector, and waits for their receipts."""

import asyncio
import contextlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import NamedTuple

import msgspec

from collector.outbox.elsewhere import Elsewhere, Last, correction
from collector.outbox.row import Row
from collector.outbox.window import Window
from collector.publishing.bridges import Bridges
from telemetry import topics
from telemetry.decode import Unreadable, boundary
from telemetry.mqtt import Message, NotConnected
from telemetry.mqtt.temporary import TemporaryClient
from telemetry.receipt import Receipt, Rejection

# Readings in flight at a time: few enough that the collector's own get through beside them.
_MAX_IN_FLIGHT = 2000
# So many are looked for in other outboxes at once.
_MAX_LOOKED_FOR = 20_000
_CONNECT_S = 10.0
_ATTEMPT_S = 10.0
_ATTEMPTS = 6
_ATTEMPTS_WITHOUT_BRIDGE = 2

_NOTHING = Message("", b"", mid=0, qos=0, retain=False, epoch=0)

_receipt = boundary(msgspec.json.Decoder(Receipt).decode)


class Outcome(NamedTuple):
    """How many readings were sent, and what became of them.

    `rejected`: by InfluxDB, or because the broker cannot carry them.
    `superseded`: not sent, because a correction was stored, read back and pruned.
    """

    sent: int
    stored: int
    rejected: int
    superseded: int

    @property
    def unanswered(self) -> int:
        """How many have no receipt."""
        return self.sent - self.stored - self.rejected


def total(outcomes: Iterable[Outcome]) -> Outcome:
    """Return the sum of the outcomes of several outboxes."""
    return Outcome._make(map(sum, zip(*outcomes, strict=True)))


def topics_of(window: Window) -> tuple[str, str]:
    """Return what to subscribe to: the outbox's receipts, and what the bridges say."""
    return topics.RECEIPTS + window.outbox, topics.status("bridge", "+")


class Replayer:
    """Sends readings of one outbox on a connection that is subscribed to `topics_of` it."""

    def __init__(self, connection: TemporaryClient, window: Window, elsewhere: Elsewhere) -> None:
        self._connection = connection
        connection.on_refused = self._on_refused
        self._window = window
        self._elsewhere = elsewhere
        self.bridges = Bridges()
        self.why_rejected = ""
        """The reason of the first that was rejected."""
        self._stored = 0
        self._rejected = 0
        self._superseded = 0
        self._in_flight: dict[int, Row] = {}
        self._mids: dict[int, int] = {}
        """Sequence numbers by the ids of the messages."""
        self._corrections: dict[int, Row | None] = {}
        """The last readings of the same points; None for one that has been pruned."""

    async def send(self, rows: Iterable[Row], on_progress: Callable[[int], None]) -> Outcome:
        """Replay all rows, 2,000 at a time, and tell up to which sequence number that has come.

        Gives up when no receipt arrives for a minute, or 20 s if no bridge is at work; `bridges`
        then tells why. Raises BrokerUnreachable if there is no connection at first.
        """
        sent = 0
        for batch, last in self._batches(rows):
            if not sent:
                await self._connection.connect_within(_CONNECT_S)
            self._corrections = self._corrections_of(batch, last)
            self._in_flight = {
                row.seq: row for row in batch if self._corrections.get(row.seq, row) is not None
            }
            self._mids.clear()
            sent += len(self._in_flight)
            self._superseded += len(batch) - len(self._in_flight)
            await self._settle()
            if self._in_flight:
                break
            on_progress(batch[-1].seq)
        return Outcome(sent, self._stored, self._rejected, self._superseded)

    def _batches(self, rows: Iterable[Row]) -> Iterator[tuple[Sequence[Row], Last]]:
        """Yield what is in flight together, with the last readings elsewhere of their points."""
        rest = iter(rows)
        while many := list(islice(rest, _MAX_LOOKED_FOR)):
            last = self._elsewhere.last(many)
            for start in range(0, len(many), _MAX_IN_FLIGHT):
                yield many[start : start + _MAX_IN_FLIGHT], last

    def _corrections_of(self, batch: Sequence[Row], last: Last) -> dict[int, Row | None]:
        found = {
            seq: self._window.read(number)
            for seq, number in self._window.corrections(batch).items()
        }
        for row in batch if last else ():
            own = found.get(row.seq, row)
            if own and (later := correction(last, own)):
                found[row.seq] = later
        return found

    async def _settle(self) -> None:
        """Send what is in flight until it has receipts, or until some attempts brought none."""
        in_vain = 0
        while self._in_flight and in_vain < self._attempts():
            before = len(self._in_flight)
            with contextlib.suppress(TimeoutError, NotConnected):
                async with asyncio.timeout(_ATTEMPT_S):
                    await self._attempt()
            in_vain = in_vain + 1 if len(self._in_flight) == before else 0

    def _attempts(self) -> int:
        return _ATTEMPTS if self.bridges.is_any_at_work else _ATTEMPTS_WITHOUT_BRIDGE

    async def _attempt(self) -> None:
        await self._connection.wait_connected()
        for row in self._in_flight.values():
            later = self._corrections.get(row.seq)
            for one in (row, later) if later else (row,):
                mid = self._connection.client.publish(topics.REPLAY + one.series, one.payload)
                self._mids[mid] = row.seq
        while self._in_flight:
            message = await self._connection.messages.get()
            if message.topic.startswith(topics.STATUS):
                self.bridges.hear(message)
                continue
            with contextlib.suppress(Unreadable):
                if not message.retain:
                    self._apply(self._window.own(_receipt(message.payload)))

    def _on_refused(self, mid: int, reason: str) -> None:
        """Count one that the broker cannot carry, for which there will be no receipt."""
        if mid in self._mids:
            self._apply(Receipt(rejected=[Rejection(self._mids[mid], reason)]))
            self._connection.messages.put_nowait(_NOTHING)  # the attempt may be over

    def _apply(self, receipt: Receipt) -> None:
        for first, last in receipt.stored:
            for seq in [seq for seq in self._in_flight if first <= seq <= last]:
                del self._in_flight[seq]
                self._stored += 1
        for rejection in receipt.rejected:
            if self._in_flight.pop(rejection.seq, None):
                self._rejected += 1
                self.why_rejected = self.why_rejected or rejection.reason
