"""The bridge: MQTT → writer → storage, then receipts, dead letters and acknowledgements."""

import asyncio
import contextlib
import logging
import socket
from collections import defaultdict
from collections.abc import Sequence

import msgspec

from bridge.batch import Batch
from bridge.decode import Delivery, counters_record
from bridge.forwarding import Forwarding
from bridge.metrics import exposition
from bridge.metrics_server import MetricsServer
from bridge.settings import Settings
from bridge.storage import Storage
from bridge.storage.influxdb import InfluxStorage
from bridge.writer import Writer
from telemetry import process, topics
from telemetry.dead_letters.letter import DeadLetter
from telemetry.dead_letters.letters import DeadLetters
from telemetry.dead_letters.recent import Recent
from telemetry.decode import Unreadable, UnreadableLog
from telemetry.listeners import listen
from telemetry.mqtt import Message, MqttClient, NotConnected
from telemetry.published import WithoutId
from telemetry.receipt import receipts
from telemetry.settings import load
from telemetry.status import INTERVAL_S, OFFLINE, Status
from telemetry.vitals import Vitals

logger = logging.getLogger(__name__)

_DRAIN_S = 3
# Bounds the memory; more than the broker has in flight before the first acknowledgement.
_MAX_QUEUED = 20_000
# Bytes of a message: no reading has more, and so many of these are held.
_MAX_READING = 2000
# Messages published and not acknowledged, of the 65,535 MQTT ids. Beyond it, receipts and statuses
# are left out: the collector replays the readings.
_MAX_UNACKNOWLEDGED = 20_000
# Keeps a status below the broker's limit for one message, even if JSON escapes all of it.
_MAX_REASON = 1000


class Bridge:
    """Takes readings from the broker and acknowledges each once its outcome is known."""

    def __init__(self, settings: Settings, storage: Storage) -> None:
        self._status_topic = topics.status("bridge", settings.name)
        self._is_named_by_host = not settings.bridge_id
        self._storage = storage
        self._writer = Writer(storage, settings.batch_max, self.settle, self._publish_status)
        self._mqtt = MqttClient(
            **settings.broker,
            client_id=settings.name,
            # The broker keeps nothing for a bridge that is away: collectors replay what it missed.
            clean_session=True,
            subscriptions=[topics.READINGS + "#", topics.REPLAY + "#", topics.STATUS + "#"],
            will=(self._status_topic, OFFLINE),
            on_message=self._on_message,
            on_connected=self._on_connected,
            on_disconnected=lambda: None,
            on_puback=self._on_puback,
        )
        self._letters = DeadLetters(self._mqtt.publish, self._mqtt.ack)
        self._forwarding = Forwarding(self._mqtt.publish, self._mqtt.ack)
        self._recent = Recent()
        self._vitals = Vitals()
        self._stored = 0
        self._unreadable = UnreadableLog()
        self._unreadable_statuses = UnreadableLog()
        self._rejected = UnreadableLog("rejected")

    async def run(self, listeners: Sequence[socket.socket] = ()) -> None:
        """Work until SIGTERM, with the metrics on `listeners`; raises whatever ends a part."""
        metrics = MetricsServer(exposition(self._counters, self._writer.write_times))
        try:
            await process.run(
                stop=self._stop,
                mqtt=self._mqtt.run(),
                writer=self._writer.run(),
                status=self._publish_statuses(),
                vitals=self._vitals.run(),
                metrics=metrics.run(listeners),
                storage=self._storage.maintain(),
            )
        finally:
            self._storage.close()

    def settle(self, batch: Batch) -> None:
        """Publish receipts and dead letters, then acknowledge the messages to the broker.

        Without a connection this does nothing: collectors replay what they have no receipt for.
        """
        self._stored += len(batch.stored)
        try:
            self._publish_receipts(batch)
            for delivery, reason in batch.rejected:
                self._rejected.note(delivery.message.topic, reason)
                self._letters.send(DeadLetter(delivery.message, reason))
            for letter in batch.unreadable:
                self._letters.send(letter)
                self._recent.add(letter)
        except NotConnected:
            return
        for delivery in batch.stored:
            self._mqtt.ack(delivery.message)
        for message in batch.repeated:
            self._mqtt.ack(message)
        if self._writer.queued <= _MAX_QUEUED:
            self._mqtt.resume()

    def _on_connected(self, _session_present: bool) -> None:
        if self._writer.queued > _MAX_QUEUED:  # from before; each connection begins by reading
            self._mqtt.pause()
        self._forwarding.send_held()
        self._publish_status()

    def _on_message(self, message: Message) -> None:
        if message.retain:  # published before this bridge subscribed
            self._mqtt.ack(message)
            return
        if self._writer.queued > _MAX_QUEUED:
            self._mqtt.pause()
        if not message.payload:  # clears a retained message
            self._mqtt.ack(message)
        elif message.topic.startswith(topics.STATUS):
            self._on_status(message)
        elif len(message.payload) > _MAX_READING:
            self._bury(message, Unreadable(f"more than {_MAX_READING} bytes"))
        else:
            try:
                self._writer.add(Delivery(message, self._storage.reading))
            except WithoutId:
                self._forward(message)
            except Unreadable as unreadable:
                self._bury(message, unreadable)

    def _forward(self, message: Message) -> None:
        try:
            self._forwarding.take(message)
        except Unreadable as unreadable:
            self._bury(message, unreadable)

    def _bury(self, message: Message, unreadable: Unreadable) -> None:
        self._unreadable.note(message.topic, unreadable)
        self._writer.add_unreadable(DeadLetter.about(message, str(unreadable)))

    def _on_puback(self, mid: int) -> None:
        self._letters.on_puback(mid)
        self._forwarding.on_puback(mid)

    def _on_status(self, message: Message) -> None:
        self._mqtt.ack(message)
        try:
            record = counters_record(message, self._storage.counters)
        except Unreadable as unreadable:
            self._unreadable_statuses.note(message.topic, unreadable)
            return
        if record is not None:
            self._writer.add_counters(record)

    def _publish_receipts(self, batch: Batch) -> None:
        stored: dict[tuple[str, str], list[int]] = defaultdict(list)
        rejected: dict[tuple[str, str], list[tuple[int, str]]] = defaultdict(list)
        for delivery in batch.stored:
            outbox, run, seq = delivery.origin
            stored[outbox, run].append(seq)
        for delivery, reason in batch.rejected:
            outbox, run, seq = delivery.origin
            rejected[outbox, run].append((seq, reason))
        for key in {*stored, *rejected}:
            outbox, run = key
            for receipt in receipts(stored[key], rejected[key], run):
                if self._mqtt.unacknowledged < _MAX_UNACKNOWLEDGED:
                    self._mqtt.publish(topics.RECEIPTS + outbox, receipt)

    def _publish_status(self) -> None:
        # While the bridge reads nothing from the broker, nothing is acknowledged to it.
        if self._mqtt.connected and self._mqtt.unacknowledged < _MAX_UNACKNOWLEDGED:
            status = msgspec.json.encode(self._status())
            self._mqtt.publish(self._status_topic, status, retain=True)

    def _status(self) -> Status:
        state, counters = self._writer.state, self._counters()
        letters = self._recent.letters()
        if state.waiting is not None:
            return Status("waiting", state.waiting[:_MAX_REASON], counters, letters)
        if state.refusing is not None:
            return Status("refusing", state.refusing[:_MAX_REASON], counters, letters)
        return Status("storing", None, counters, letters)

    def _counters(self) -> dict[str, int]:
        return {
            "stored": self._stored,
            "rejected": self._writer.rejected,
            "unreadable": self._unreadable.count,
            "writes": self._writer.writes,
            "write_failures": self._writer.failures,
            "queue": self._writer.queued,
            "set_aside": len(self._writer.aside),
            "dead_letters_dropped": self._letters.dropped,
            "forwarded": self._forwarding.forwarded,
            "not_forwarded": self._forwarding.dropped,
            "write_ms": self._writer.longest_write.milliseconds,
            **self._vitals.counters(),
        }

    async def _publish_statuses(self) -> None:
        while True:
            self._publish_status()
            self._writer.retry()
            await asyncio.sleep(INTERVAL_S)

    async def _stop(self) -> None:
        """Publish the end, and wait until the broker has acknowledged everything."""
        with contextlib.suppress(TimeoutError, NotConnected):
            async with asyncio.timeout(_DRAIN_S):
                self._mqtt.publish(self._status_topic, OFFLINE, retain=True)
                if self._is_named_by_host:  # nobody may ever bear this name again
                    self._mqtt.publish(self._status_topic, b"", retain=True)
                await self._mqtt.drain()


async def serve() -> None:
    """Run the bridge with the settings of the environment."""
    settings = load(Settings)
    host, port = settings.bridge_metrics_host, settings.bridge_metrics_port
    listeners = listen(host, port, "BRIDGE_METRICS") if port else []
    storage = InfluxStorage(
        settings.influx, settings.influx_readers, settings.retention_s, settings.rollups_kept
    )
    await Bridge(settings, storage).run(listeners)
