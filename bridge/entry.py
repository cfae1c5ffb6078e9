"""A message from the broker on its way into InfluxDB."""

import re
import time

import msgspec
from msgspec import UNSET

from telemetry import timestamp, topics
from telemetry.mqtt import Message
from telemetry.reading import Message as Payload
from telemetry.reading import check_value, line, series

# The first part becomes a level of the receipt's topic, the second is never 0.
_ID = re.compile(r"([0-9A-Za-z]{1,64}):([1-9][0-9]{0,18})")
_decoder = msgspec.json.Decoder(Payload)


class Unreadable(Exception):
    """A message that is no reading, with the reason."""


class Entry:
    """One reading: its line, the message to acknowledge, and whom to give a receipt."""

    __slots__ = ("collector", "line", "message", "seq")

    def __init__(self, message: Message) -> None:
        """Read a message; raises Unreadable when it breaks the contract of readings/#."""
        try:
            payload = _decoder.decode(message.payload)
            sensor_id, type_ = topics.labels(message.topic)
            if payload.sensor_id is not UNSET and str(payload.sensor_id) != sensor_id:
                _disagree("sensor_id", payload.sensor_id, sensor_id)
            if payload.type is not UNSET and payload.type != type_:
                _disagree("type", payload.type, type_)
            check_value(payload.value)
            ts = payload.ts
            ns = time.time_ns() if ts is UNSET else timestamp.parse(ts)
            self.line = line(series(sensor_id, type_).tags, payload.value, ns)
            self.collector, self.seq = _origin(payload.id)
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            raise Unreadable(str(error)) from None
        self.message = message


def _disagree(field: str, sent: object, in_topic: str) -> None:
    raise ValueError(f"{field} {sent!r} is not the topic's {in_topic!r}")


def _origin(identity: str | msgspec.UnsetType) -> tuple[str, int]:
    """Return the collector and the sequence number in an id, ("", 0) for a device's own reading."""
    if identity is UNSET:
        return "", 0
    match = _ID.fullmatch(identity)
    if match is None:
        raise ValueError(f"id {identity!r} is not <collector>:<sequence number>")
    return match[1], int(match[2])
