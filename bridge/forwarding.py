"""Readings that devices publish on readings/: sent on to devices/, where a collector takes them."""

import contextlib
import logging
import time
from collections import deque
from collections.abc import Callable

import msgspec
from msgspec import UNSET, UnsetType

from telemetry import timestamp, topics
from telemetry.decode import Unreadable
from telemetry.faults import RULES, words
from telemetry.mqtt import Message, NotConnected
from telemetry.published import DEVICES_EXAMPLE, check_members, series_of
from telemetry.reading import check_value

logger = logging.getLogger(__name__)

# Forwarded messages that the broker has not acknowledged: there are 65,535 MQTT ids in all.
WINDOW = 1000
MAX_HELD = 10_000
_HINT_EVERY_S = 60.0


class _DevicesReading(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    ts: str | UnsetType = UNSET
    type: str | UnsetType = UNSET
    value: int | float
    sensor_id: int | str | UnsetType = UNSET


_reading = msgspec.json.Decoder(_DevicesReading)


class Forwarding:
    """Each message is acknowledged once the broker has it on devices/.

    Until there is room for it, it is held. `publish` returns an MQTT id, or raises NotConnected.
    """

    def __init__(
        self, publish: Callable[[str, bytes], int], ack: Callable[[Message], None]
    ) -> None:
        self._publish = publish
        self._ack = ack
        self.forwarded = 0
        self.dropped = 0
        """How many came while there was no room, which at QoS 0 there is for one."""
        self._sent: dict[int, Message] = {}
        self._held: deque[Message] = deque()
        self._hinted_at = -_HINT_EVERY_S

    def take(self, message: Message) -> None:
        """Forward a message without an `id`; raises Unreadable unless a device may have sent it."""
        if not message.topic.startswith(topics.READINGS):
            raise Unreadable("id is required: only collectors publish on replay/")
        _check(message)
        self._hint(message.topic)
        if len(self._held) >= (MAX_HELD if message.qos else 1):
            self.dropped += 1
            self._ack(message)
        else:
            self._held.append(message)
            self.send_held()

    def on_puback(self, mid: int) -> None:
        """Acknowledge the message: the broker has it on devices/."""
        if message := self._sent.pop(mid, None):
            self._ack(message)
            self.send_held()

    def send_held(self) -> None:
        """Publish what is held, as far as there is room and a connection."""
        with contextlib.suppress(NotConnected):
            while self._held and len(self._sent) < WINDOW:
                message = self._held[0]
                topic = topics.DEVICES + message.topic.removeprefix(topics.READINGS)
                self._sent[self._publish(topic, message.payload)] = message
                self._held.popleft()
                self.forwarded += 1

    def _hint(self, topic: str) -> None:
        now = time.monotonic()
        if now - self._hinted_at >= _HINT_EVERY_S:
            self._hinted_at = now
            logger.warning("forwarded to devices/, where devices should publish now: %s", topic)


def _check(message: Message) -> None:
    """Raise Unreadable if a message is no reading of a device."""
    try:
        reading = _reading.decode(message.payload)
        check_members(message.payload)
        sensor_id, type_ = topics.labels(message.topic)
        series_of(
            message.topic,
            sensor_id if reading.sensor_id is UNSET else reading.sensor_id,
            type_ if reading.type is UNSET else reading.type,
        )
        check_value(reading.value)
        if reading.ts is not UNSET:
            timestamp.parse(reading.ts)
    except Exception as error:  # noqa: BLE001  see telemetry.decode.boundary
        reason = words(message.payload, error, ("value",), RULES, DEVICES_EXAMPLE)
        raise Unreadable(reason) from None
