"""A lane: an outbox with its publisher and its MQTT session."""

import asyncio
import contextlib
import itertools
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from collector.access.identities import Identities
from collector.access.rates import RateLimit
from collector.access.series import SeriesLimit
from collector.audit.auditor import Auditor
from collector.devices.intake import NO_DEVICES, DeviceIntake
from collector.devices.senders import Senders
from collector.formats import Formats
from collector.intake.labels import Labels
from collector.outbox.elsewhere import Elsewhere
from collector.outbox.group_commit import OutboxBusy
from collector.outbox.outbox import Outbox
from collector.publishing.discovery import Discovery
from collector.publishing.publisher import Publisher
from collector.settings import Settings
from telemetry import topics
from telemetry.decode import Unreadable, UnreadableLog, boundary
from telemetry.mqtt import Message, MqttClient
from telemetry.receipt import Receipt
from telemetry.status import INTERVAL_S, OFFLINE, Status, decode_status

_DRAIN_S = 1

_receipt = boundary(msgspec.json.Decoder(Receipt).decode)


class Devices(NamedTuple):
    """What a lane needs to take what devices publish."""

    formats: Formats
    identities: Identities


class Lane:
    """Takes what its outbox accepts to the broker, and settles it by the receipts.

    With `devices`, it puts what they publish there into its outbox. Several collectors of one
    directory would each accept it, so only the lane of the first outbox has them.
    """

    def __init__(self, outbox: Outbox, settings: Settings, devices: Devices | None = None) -> None:
        self.outbox = outbox
        self.labels = Labels(settings.mqtt_broker)
        self.series = SeriesLimit(settings.max_series, self.outbox.newest)
        self.rate_limit = RateLimit(settings.rate_limit)
        self._receipts_topic = topics.RECEIPTS + self.outbox.id
        self._status_topic = topics.status("collector", self.outbox.id)
        elsewhere = Elsewhere(outbox.path, Path(settings.outbox_path))
        self._publisher = Publisher(self.outbox, self._publish, elsewhere)
        self.receipt_times = self._publisher.in_flight.receipt_times
        prefix = settings.home_assistant_prefix
        self._discovery = (
            Discovery(self.outbox, prefix, self._status_topic, self._publish) if prefix else None
        )
        self._auditor = Auditor(self.outbox, settings.influx, self._publisher.heal, elsewhere)
        self._unreadable = UnreadableLog()
        self._mqtt = MqttClient(
            **settings.broker,
            # The outbox is the record, so nothing has to be kept at the broker for later; and a
            # copy of the outbox has a client id of its own.
            client_id=f"collector-{self.outbox.id}-{self.outbox.run}",
            clean_session=True,
            subscriptions=[self._receipts_topic, topics.status("bridge", "+")],
            will=(self._status_topic, OFFLINE),
            on_message=self._on_message,
            on_connected=self._on_connected,
            on_disconnected=self._publisher.on_disconnected,
            on_puback=self._on_puback,
            on_refused=self._on_refused,
        )
        self._devices = self._intake(settings, devices) if devices else None
        self._is_leaving = False
        self._counters_of_others: list[Callable[[], Mapping[str, int]]] = []

    def parts(self) -> dict[str, Coroutine[Any, Any, None]]:
        """Return what has to run, by name; the first of them that ends is the end of the lane."""
        return {
            "mqtt": self._mqtt.run(),
            "outbox": self.outbox.failed(),
            "look": self._publisher.look.run(),
            "auditor": self._auditor.run(),
            "ticks": self._tick(),
            **({"devices": self._devices.run()} if self._devices else {}),
        }

    async def leave(self, status: bytes = OFFLINE) -> None:
        """Publish a last status, take no more, and wait up to 1 s for PUBACKs.

        An empty status leaves none at the broker.
        """
        self._is_leaving = True
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_DRAIN_S):
                if self._mqtt.connected:  # first: at the DISCONNECT the broker drops the will
                    self._mqtt.publish(self._status_topic, status, retain=True)
                if self._devices:
                    await self._devices.leave()
                if self._mqtt.connected:
                    await self._mqtt.drain()

    @property
    def connected(self) -> bool:
        """Whether the broker is reached."""
        return self._mqtt.connected

    @property
    def left(self) -> int:
        """How many readings wait for a receipt, or to be read back."""
        return self._publisher.pending + self.outbox.verification.waiting

    @property
    def doubts(self) -> int:
        """How often it was found that InfluxDB may have lost readings."""
        return self._auditor.doubts

    def obstacles(self) -> list[str]:
        """Return why readings are not accepted or not published at the moment."""
        reasons = []
        if not self._publisher.connected:
            reasons.append("the broker cannot be reached; readings wait in the outbox")
        if full := self.outbox.space.full:
            reasons.append(full)
        return reasons

    def add_counters(self, counters: Callable[[], Mapping[str, int]]) -> None:
        """Report these too, wherever the lane's own are reported."""
        self._counters_of_others.append(counters)

    def counters(self) -> dict[str, int]:
        """Return the counters of the lane and of others by name.

        Raises OutboxBusy or OutboxUnusable.
        """
        books = self.outbox.books._replace(pending=self._publisher.pending)
        return {
            **books._asdict(),
            "unbalanced": books.unbalanced,
            "published": self._publisher.in_flight.sent,
            "replayed": self._publisher.replayed,
            "unaudited": self.outbox.verification.waiting,
            "unhealed": len(self.outbox.verification.given_up),
            **self.outbox.ages(),
            "outbox_bytes": self.outbox.space.used,
            "outbox_max_bytes": self.outbox.space.max_bytes,
            **(self._devices.counters if self._devices else NO_DEVICES),
            **{name: n for others in self._counters_of_others for name, n in others().items()},
        }

    def _intake(self, settings: Settings, devices: Devices) -> DeviceIntake:
        senders = Senders(devices.identities, self.series, self.rate_limit, self.labels)
        return DeviceIntake(self.outbox, settings.broker, devices.formats, senders)

    def _publish(self, topic: str, payload: bytes, retain: bool) -> int:
        return self._mqtt.publish(topic, payload, retain=retain)

    def _on_connected(self, _session_present: bool) -> None:
        self._publisher.on_connected()
        if self._discovery:
            self._discovery.on_connected()

    def _on_puback(self, mid: int) -> None:
        self._publisher.on_puback(mid)
        if self._discovery:
            self._discovery.on_puback(mid)

    def _on_refused(self, mid: int, reason: str) -> None:
        self._publisher.on_refused(mid, reason)
        if self._discovery:
            self._discovery.on_puback(mid)

    def _on_message(self, message: Message) -> None:
        try:
            # A retained message may be from long ago, or from anybody; an empty one clears it.
            if message.payload and not message.retain:
                self._take(message)
        except Unreadable as unreadable:
            self._unreadable.note(message.topic, unreadable)
        self._mqtt.ack(message)

    def _take(self, message: Message) -> None:
        """Take over a receipt or a bridge's status; raises Unreadable."""
        if message.topic == self._receipts_topic:
            self._publisher.on_receipt(_receipt(message.payload))
        else:
            begins = self._publisher.on_status(message.topic, decode_status(message.payload))
            if begins:  # with what has waited for it, maybe since before a correction
                self._auditor.doubt()

    async def _tick(self) -> None:
        """Once per second, do what must happen without any request."""
        for second in itertools.count():
            await asyncio.sleep(1)
            self.outbox.commit()
            self._publisher.tick()
            if self._devices:
                self._devices.tick()
            if self.connected and not self._is_leaving and second % INTERVAL_S == 0:
                with contextlib.suppress(OutboxBusy):  # the next status is not far
                    self._publish_status()

    def _publish_status(self) -> None:
        letters = self._devices.dead_letters if self._devices else []
        status = Status("up", counters=self.counters(), dead_letters=letters)
        self._mqtt.publish(self._status_topic, msgspec.json.encode(status), retain=True)
