"""Sends readings of the outbox on replay/ again and waits for their receipts."""

import asyncio
import contextlib
from collections.abc import Iterable
from itertools import islice
from typing import NamedTuple

import msgspec

from collector.outbox import Row
from collector.settings import Settings
from telemetry import topics
from telemetry.mqtt import Message, Mqtt, NotConnected
from telemetry.receipt import Receipt

# On their way at a time: the running collector's own readings come through beside them.
_WINDOW = 2000
_PATIENCE_S = 10.0
_ATTEMPTS = 6


class Outcome(NamedTuple):
    """How many readings were sent, and what InfluxDB did with them."""

    sent: int
    stored: int
    rejected: int


class _Resender:
    def __init__(self, settings: Settings, collector: str) -> None:
        self.stored = self.rejected = 0
        self._outstanding: dict[int, Row] = {}
        self._progress = asyncio.Event()
        self._connected = asyncio.Event()
        self.mqtt = Mqtt(
            **settings.broker,
            client_id="",
            clean_session=True,
            subscriptions=[topics.RECEIPTS + collector],
            on_message=self._on_receipt,
            on_connected=lambda _: self._connected.set(),
            on_disconnected=self._connected.clear,
            on_puback=lambda _: None,
        )

    async def send(self, rows: Iterable[Row]) -> Outcome:
        """Send all rows, a window at a time; give up when nothing comes back for a minute."""
        sent = 0
        rest = iter(rows)
        while batch := list(islice(rest, _WINDOW)):
            sent += len(batch)
            self._outstanding = {row.seq: row for row in batch}
            if not await self._settle():
                break
        return Outcome(sent, self.stored, self.rejected)

    async def _settle(self) -> bool:
        """Send what is outstanding until it has receipts; False when there are none to be had."""
        silent = 0
        while self._outstanding and silent < _ATTEMPTS:
            before = len(self._outstanding)
            with contextlib.suppress(TimeoutError, NotConnected):
                async with asyncio.timeout(_PATIENCE_S):
                    await self._connected.wait()
                    for row in self._outstanding.values():
                        self.mqtt.publish(topics.REPLAY + row.topic, row.payload)
                    while self._outstanding:
                        self._progress.clear()
                        await self._progress.wait()
            silent = silent + 1 if len(self._outstanding) == before else 0
        return not self._outstanding

    def _on_receipt(self, message: Message) -> None:
        receipt = msgspec.json.decode(message.payload, type=Receipt)
        for first, last in receipt.stored:
            for seq in [seq for seq in self._outstanding if first <= seq <= last]:
                del self._outstanding[seq]
                self.stored += 1
        for rejection in receipt.rejected:
            if self._outstanding.pop(rejection.seq, None):
                self.rejected += 1
        self.mqtt.ack(message)
        self._progress.set()


async def resend(settings: Settings, collector: str, rows: Iterable[Row]) -> Outcome:
    """Send the rows of one collector's outbox again; the running collector sees the receipts too.

    A reading that InfluxDB has already is written over by itself.
    """
    resender = _Resender(settings, collector)
    running = asyncio.create_task(resender.mqtt.run())
    sending = asyncio.create_task(resender.send(rows))
    await asyncio.wait([running, sending], return_when=asyncio.FIRST_COMPLETED)
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running
    return await sending
