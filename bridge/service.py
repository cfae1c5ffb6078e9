"""The bridge's wiring: MQTT → writer → receipts, and their common end."""

import asyncio
import contextlib
import logging
import signal
import sys
import time
from collections import defaultdict

import msgspec
import uvloop

from bridge.database import Database
from bridge.entry import Entry, Unreadable
from bridge.settings import Settings
from bridge.writer import Batch, Refused, Writer
from telemetry import topics
from telemetry.mqtt import Message, Mqtt, NotConnected
from telemetry.reading import series
from telemetry.receipt import receipts
from telemetry.settings import SettingError, load
from telemetry.status import INTERVAL_S, OFFLINE, Status, line

logger = logging.getLogger(__name__)

_SIGNALS = (signal.SIGTERM, signal.SIGINT)
_LEAVE_S = 3
# Bounds the memory; more than the broker has in flight before the first acknowledgement.
_MOST_WAITING = 20_000
# Keep a dead letter below the broker's limit for one message, even if JSON escapes all of it.
_MAX_PAYLOAD = 8000
_MAX_REASON = 1000


class Bridge:
    """Takes readings from the broker and acknowledges each once its fate is known."""

    def __init__(self, settings: Settings) -> None:
        self._status_topic = topics.status("bridge", settings.bridge_id)
        self._database = Database(settings)
        self.writer = Writer(self._database, settings.batch_max, self.settle, self.say_status)
        self.mqtt = Mqtt(
            **settings.broker,
            client_id=settings.bridge_id,
            subscriptions=[topics.READINGS + "#", topics.REPLAY + "#", topics.STATUS + "#"],
            will=(self._status_topic, OFFLINE),
            on_message=self.on_message,
            on_connected=self.on_connected,
            on_disconnected=lambda: None,
            on_puback=self.on_puback,
        )
        self._stored = 0
        self._unreadable = 0
        self._buried: dict[int, Message] = {}  # by the MQTT id of their dead letters

    async def run(self) -> None:
        """Work until SIGTERM; raises what makes it impossible."""
        loop = asyncio.get_running_loop()
        stopping = asyncio.Event()
        for number in _SIGNALS:
            loop.add_signal_handler(number, stopping.set)
        tasks = [
            asyncio.create_task(work)
            for work in (stopping.wait(), self.mqtt.run(), self.writer.run(), self._tell())
        ]
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        ended = [task for task in tasks if task.done()]
        await self._leave()
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        self._database.close()
        for task in ended:
            task.result()

    def on_connected(self, session: bool) -> None:
        """Say how the bridge is, once there is somebody to tell."""
        if session:  # then the broker sends again whatever it has no acknowledgement of
            self.writer.forget_before(self.mqtt.epoch)
        self.say_status()

    def on_message(self, message: Message) -> None:
        """Take a message from the broker."""
        if self.writer.waiting > _MOST_WAITING:
            self.mqtt.pause()
        if message.topic.startswith(topics.STATUS):
            self._on_status(message)
            return
        try:
            self.writer.add(Entry(message))
        except Unreadable as unreadable:
            self._unreadable += 1
            self.writer.add_unreadable(Refused(message, str(unreadable)))

    def on_puback(self, mid: int) -> None:
        """Acknowledge a message once the broker has its dead letter: it may be all that is left."""
        if message := self._buried.pop(mid, None):
            self.mqtt.ack(message)

    def settle(self, batch: Batch) -> None:
        """Give receipts and dead letters, then acknowledge to the broker.

        When the connection is gone the broker still has the messages and sends them again.
        """
        self._stored += len(batch.stored)
        refused = [Refused(entry.message, reason) for entry, reason in batch.refused]
        try:
            self._give_receipts(batch)
            for message, reason in (*refused, *batch.unreadable):
                logger.warning("rejected %s: %s", message.topic[:_MAX_REASON], reason[:_MAX_REASON])
                letter = _dead_letter(message, reason)
                self._buried[self.mqtt.publish(_dead_letter_topic(message), letter)] = message
        except NotConnected:
            return
        for entry in batch.stored:
            self.mqtt.ack(entry.message)
        if self.writer.waiting <= _MOST_WAITING:
            self.mqtt.resume()

    def say_status(self) -> None:
        """Publish how the bridge is, now."""
        if not self.mqtt.connected:
            return
        state, reason = ("waiting", self.writer.reason) if self.writer.reason else ("storing", "")
        counters = {
            "stored": self._stored,
            "rejected": self.writer.refused,
            "unreadable": self._unreadable,
            "writes": self.writer.writes,
            "write_failures": self.writer.failures,
            "queue": self.writer.waiting,
        }
        status = msgspec.json.encode(Status(state, reason[:_MAX_REASON], counters))
        self.mqtt.publish(self._status_topic, status, retain=True)

    def _give_receipts(self, batch: Batch) -> None:
        stored: dict[str, list[int]] = defaultdict(list)
        refused: dict[str, list[tuple[int, str]]] = defaultdict(list)
        for entry in batch.stored:
            stored[entry.collector].append(entry.seq)
        for entry, reason in batch.refused:
            refused[entry.collector].append((entry.seq, reason))
        for collector in {*stored, *refused} - {""}:
            for receipt in receipts(stored[collector], refused[collector]):
                self.mqtt.publish(topics.RECEIPTS + collector, receipt)

    def _on_status(self, message: Message) -> None:
        self.mqtt.ack(message)
        if message.retain:  # from before this bridge was there
            return
        try:
            status = msgspec.json.decode(message.payload, type=Status)
            service, instance = topics.labels(message.topic)
            if status.counters:
                self.writer.add_line(line(service, instance, status, time.time_ns()))
        except (msgspec.MsgspecError, ValueError) as error:
            logger.warning("unreadable status on %s: %s", message.topic, error)

    async def _tell(self) -> None:
        while True:
            self.say_status()
            await asyncio.sleep(INTERVAL_S)

    async def _leave(self) -> None:
        """Say goodbye, and let what is on the wire arrive."""
        with contextlib.suppress(TimeoutError, NotConnected):
            async with asyncio.timeout(_LEAVE_S):
                self.mqtt.publish(self._status_topic, OFFLINE, retain=True)
                await self.mqtt.drain()


def _dead_letter_topic(message: Message) -> str:
    try:
        return topics.REJECTED + series(*topics.labels(message.topic)).topic
    except ValueError:
        return topics.REJECTED + "unreadable/unreadable"


def _dead_letter(message: Message, reason: str) -> bytes:
    payload = message.payload.decode(errors="replace")
    return msgspec.json.encode(
        {
            "reason": reason[:_MAX_REASON],
            "topic": message.topic[:_MAX_REASON],
            "payload": payload[:_MAX_PAYLOAD],
        }
    )


def main() -> int:
    """Run the bridge; return the exit code."""
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
    for number in _SIGNALS:
        signal.signal(number, lambda *_: sys.exit(0))  # until the loop takes them
    try:
        settings = load(Settings)
    except SettingError as error:
        sys.stderr.write(f"bridge: {error}\n")
        return 1
    uvloop.run(_run(settings))
    return 0


async def _run(settings: Settings) -> None:
    await Bridge(settings).run()
