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
# No reading needs as many; at QoS 1 and unchanged, the largest messages would not fit the broker.
_MAX_BYTES = 8000
_HINT_EVERY_S = 60.0


class _DevicesReading(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    ts: str | UnsetType = UNSET
    type: str | UnsetType = UNSET
    value: int | float
    sensor_id: int | str | UnsetType = UNSET


_reading = msgspec.json.Decoder(_DevicesReading)


class Forwarding:
    """Each message is acknowledged once the broker has it on devices/.

    Until there is room it is held, unacknowledged, so the broker's limit of messages in flight
    bounds how many are held. `publish` returns an MQTT id, or raises NotConnected.
    """

    def __init__(
        self, publish: Callable[[str, bytes], int], ack: Callable[[Message], None]
    ) -> None:
        self._publish = publish
        self._ack = ack
        self.forwarded = 0
        self.dropped = 0
        """How many at QoS 0, which nothing bounds, came while there was no room."""
        self._sent: dict[int, Message] = {}
        self._held: deque[Message] = deque()
        self._hinted_at = -_HINT_EVERY_S

    def take(self, message: Message) -> None:
        """Forward a message without an `id`; raises Unreadable unless a device may have sent it.

        A retained copy without `ts` is nothing new: each new session brings it again.
        """
        if not message.topic.startswith(topics.READINGS):
            raise Unreadable("id is required: only collectors publish on replay/")
        has_ts = _has_ts(message)
        self._hint(message.topic)
        if message.retain and not has_ts:
            self._ack(message)
        elif self._held and not message.qos:
            self.dropped += 1
        else:
            self._held.append(message)
            self.send_held()

    def on_puback(self, mid: int) -> None:
        """Acknowledge the message: the broker has it on devices/."""
        if message := self._sent.pop(mid, None):
            self._ack(message)
            self.send_held()

    def forget_before(self, epoch: int) -> None:
        """Drop held messages that the broker redelivers on this connection."""
        self._held = deque(held for held in self._held if not held.qos or held.epoch >= epoch)

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


def _has_ts(message: Message) -> bool:
    """Return whether a device's reading has a timestamp; raises Unreadable if it is no reading."""
    if len(message.payload) > _MAX_BYTES:
        raise Unreadable(f"a reading of more than {_MAX_BYTES:,} bytes")
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
    return reading.ts is not UNSET
