"""Decoding of what the broker delivers: readings and the services' statuses."""

import time
from collections.abc import Callable, Mapping
from functools import lru_cache

import msgspec
from msgspec import UNSET

from telemetry import timestamp, topics
from telemetry.decode import boundary
from telemetry.mqtt import Message
from telemetry.origin import Origin
from telemetry.reading import PublishedReading, check_members, check_value, series
from telemetry.status import Status

_reading = msgspec.json.Decoder(PublishedReading)
_status = msgspec.json.Decoder(Status)


class Delivery:
    """A delivered reading: the storage's record, and the message to acknowledge.

    `origin` is for the receipt; None if a device published the reading.
    """

    __slots__ = ("message", "origin", "record")

    @boundary
    def __init__(self, message: Message, encode: Callable[[str, float, int], str]) -> None:
        """Decode a message; `encode` is the `reading` method of a Storage.

        Raises Unreadable when it breaks the contract of readings/#.
        """
        reading = _reading.decode(message.payload)
        # With an id all members are there, and the text of a sensor's id is the only choice.
        quotes = 18 if type(reading.sensor_id) is str else 16
        if reading.id is UNSET or message.payload.count(b'"') != quotes:
            check_members(message.payload, reading)
        sensor_id, type_, name = _series(message.topic)
        if reading.sensor_id is not UNSET and str(reading.sensor_id) != sensor_id:
            raise ValueError(f"sensor_id {reading.sensor_id!r} is not the topic's {sensor_id!r}")
        if reading.type is not UNSET and reading.type != type_:
            raise ValueError(f"type {reading.type!r} is not the topic's {type_!r}")
        check_value(reading.value)
        self.origin = _origin(reading)
        ts = reading.ts
        ns = time.time_ns() if ts is UNSET else timestamp.parse(ts)
        if ns < 0 and self.origin is None:  # older collectors accepted such times
            raise ValueError("ts must not lie before 1970")
        self.record = encode(name, reading.value, ns)
        self.message = message


@boundary
def counters_record(
    message: Message, encode: Callable[[str, str, Mapping[str, int], int], str]
) -> str | None:
    """Return the storage's record of the counters in a status; None if it has no counters.

    `encode` is the `counters` method of a Storage. Raises Unreadable.
    """
    status = _status.decode(message.payload)
    service, instance = topics.labels(message.topic)
    if not status.counters:
        return None
    return encode(service, instance, status.counters, time.time_ns())


# A topic is parsed and checked once for all its messages.
@lru_cache(maxsize=65536)
def _series(topic: str) -> tuple[str, str, str]:
    """Return the sensor_id, the type and the name of a topic's series; raises ValueError."""
    sensor_id, type_ = topics.labels(topic)
    return sensor_id, type_, series(sensor_id, type_)


def _origin(reading: PublishedReading) -> Origin | None:
    if reading.id is UNSET:
        return None
    # A collector sends them all. Without them a message sent back to another topic, or without its
    # timestamp, would bring a receipt for a reading that is not stored.
    if UNSET in (reading.sensor_id, reading.type, reading.ts):
        raise ValueError("a message with an id needs sensor_id, type and ts")
    return Origin.parse(reading.id)
