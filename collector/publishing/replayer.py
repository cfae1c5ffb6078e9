"""Replays readings beside the running collector, and waits for their receipts."""

import asyncio
import contextlib
from collections.abc import Callable, Iterable
from itertools import islice
from typing import NamedTuple

import msgspec

from collector.outbox.row import Row
from collector.outbox.window import Window
from collector.publishing.bridges import Bridges
from telemetry import topics
from telemetry.decode import Unreadable, boundary
from telemetry.mqtt import NotConnected
from telemetry.mqtt.temporary import TemporaryClient
from telemetry.receipt import Receipt

# Readings in flight at a time: few enough that the collector's own get through beside them.
_MAX_IN_FLIGHT = 2000
_CONNECT_S = 10.0
_ATTEMPT_S = 10.0
_ATTEMPTS = 6
_ATTEMPTS_WITHOUT_BRIDGE = 2

_receipt = boundary(msgspec.json.Decoder(Receipt).decode)


class Outcome(NamedTuple):
    """How many readings were sent, and what InfluxDB did with them.

    `superseded`: not sent, because a correction was stored, read back and pruned.
    """

    sent: int
    stored: int
    rejected: int
    superseded: int


def topics_of(window: Window) -> tuple[str, str]:
    """Return what to subscribe to: the outbox's receipts, and what the bridges say."""
    return topics.RECEIPTS + window.outbox, topics.status("bridge", "+")


class Replayer:
    """Sends readings of one outbox on a connection that is subscribed to `topics_of` it."""

    def __init__(self, connection: TemporaryClient, window: Window) -> None:
        self._connection = connection
        self._window = window
        self.bridges = Bridges()
        self._stored = 0
        self._rejected = 0
        self._superseded = 0
        self._in_flight: dict[int, Row] = {}
        self._corrections: dict[int, Row | None] = {}
        """The last readings of the same points; None for one that has been pruned."""

    async def send(self, rows: Iterable[Row], on_progress: Callable[[int], None]) -> Outcome:
        """Replay all rows, 2,000 at a time, and tell up to which sequence number that has come.

        Gives up when no receipt arrives for a minute, or 20 s if no bridge is at work; `bridges`
        then tells why. Raises BrokerUnreachable if there is no connection at first.
        """
        sent = 0
        rest = iter(rows)
        while batch := list(islice(rest, _MAX_IN_FLIGHT)):
            if not sent:
                await self._connection.connect_within(_CONNECT_S)
            corrected_by = self._window.corrections(batch)
            self._corrections = {
                seq: self._window.read(correction) for seq, correction in corrected_by.items()
            }
            self._in_flight = {
                row.seq: row for row in batch if self._corrections.get(row.seq, row) is not None
            }
            sent += len(self._in_flight)
            self._superseded += len(batch) - len(self._in_flight)
            await self._settle()
            if self._in_flight:
                break
            on_progress(batch[-1].seq)
        return Outcome(sent, self._stored, self._rejected, self._superseded)

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
            self._connection.client.publish(topics.REPLAY + row.series, row.payload)
            if later := self._corrections.get(row.seq):
                self._connection.client.publish(topics.REPLAY + later.series, later.payload)
        while self._in_flight:
            message = await self._connection.messages.get()
            if message.topic.startswith(topics.STATUS):
                self.bridges.hear(message)
                continue
            with contextlib.suppress(Unreadable):
                if not message.retain:
                    self._apply(self._window.own(_receipt(message.payload)))

    def _apply(self, receipt: Receipt) -> None:
        for first, last in receipt.stored:
            for seq in [seq for seq in self._in_flight if first <= seq <= last]:
                del self._in_flight[seq]
                self._stored += 1
        for rejection in receipt.rejected:
            if self._in_flight.pop(rejection.seq, None):
                self._rejected += 1
