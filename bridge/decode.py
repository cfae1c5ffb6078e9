"""Decoding of what the broker delivers: readings and the services' statuses."""

import re
import time
from collections.abc import Callable, Mapping
from functools import lru_cache

import msgspec
from msgspec import UNSET, UnsetType

from telemetry import timestamp, topics
from telemetry.mqtt import Message
from telemetry.reading import PublishedReading, check_value, series
from telemetry.status import Status

# The outbox becomes a level of the receipt's topic; sequence numbers begin at 1.
_ID = re.compile(r"([0-9A-Za-z]{1,64}):([1-9][0-9]{0,18})")
_reading = msgspec.json.Decoder(PublishedReading)
_status = msgspec.json.Decoder(Status)
# What decoding raises for bytes that do not fit; ValueError includes invalid UTF-8.
_FAULTS = (msgspec.MsgspecError, ValueError, RecursionError)


class Unreadable(Exception):
    """A message that breaks the contract of its topic; the text says why."""


class Delivery:
    """A delivered reading: the storage's record, and the message to acknowledge.

    `origin` is (outbox, sequence number) for the receipt; None if a device published the reading.
    """

    __slots__ = ("message", "origin", "record")

    def __init__(self, message: Message, encode: Callable[[str, float, int], str]) -> None:
        """Decode a message; `encode` is the `reading` method of a Storage.

        Raises Unreadable when it breaks the contract of readings/#.
        """
        try:
            reading = _reading.decode(message.payload)
            sensor_id, type_, name = _series(message.topic)
            if reading.sensor_id is not UNSET and str(reading.sensor_id) != sensor_id:
                _disagree("sensor_id", reading.sensor_id, sensor_id)
            if reading.type is not UNSET and reading.type != type_:
                _disagree("type", reading.type, type_)
            check_value(reading.value)
            ts = reading.ts
            ns = time.time_ns() if ts is UNSET else timestamp.parse(ts)
            self.record = encode(name, reading.value, ns)
            self.origin = _origin(reading.id)
        except _FAULTS as error:
            raise Unreadable(str(error)) from None
        self.message = message


def counters_record(
    message: Message, encode: Callable[[str, str, Mapping[str, int], int], str]
) -> str | None:
    """Return the storage's record of the counters in a status; None if it has no counters.

    `encode` is the `counters` method of a Storage. Raises Unreadable.
    """
    try:
        status = _status.decode(message.payload)
        service, instance = topics.labels(message.topic)
        if not status.counters:
            return None
        return encode(service, instance, status.counters, time.time_ns())
    except _FAULTS as error:
        raise Unreadable(str(error)) from None


# A topic is parsed and checked once for all its messages.
@lru_cache(maxsize=65536)
def _series(topic: str) -> tuple[str, str, str]:
    """Return the sensor_id, the type and the name of a topic's series; raises ValueError."""
    sensor_id, type_ = topics.labels(topic)
    return sensor_id, type_, series(sensor_id, type_)


def _disagree(field: str, sent: object, in_topic: str) -> None:
    raise ValueError(f"{field} {sent!r} is not the topic's {in_topic!r}")


def _origin(identity: str | UnsetType) -> tuple[str, int] | None:
    if identity is UNSET:
        return None
    match = _ID.fullmatch(identity)
    if match is None:
        raise ValueError(f"id {identity!r} is not <outbox>:<sequence number>")
    return match[1], int(match[2])
