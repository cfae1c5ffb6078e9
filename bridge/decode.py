"""Decoding of what the broker delivers: readings and the services' statuses."""

import time
from collections.abc import Callable, Mapping

from telemetry import topics
from telemetry.decode import boundary
from telemetry.mqtt import Message
from telemetry.published import decode
from telemetry.status import decode_status


class Delivery:
    """A delivered reading: the storage's record, and the message to acknowledge.

    `origin` is for the receipt.
    """

    __slots__ = ("message", "origin", "record")

    def __init__(self, message: Message, encode: Callable[[str, float, int], str]) -> None:
        """Decode a message; `encode` is the `reading` method of a Storage.

        Raises Unreadable when it breaks the contract of its topic; WithoutId, which is one, when
        it is not a collector's.
        """
        series, value, ns, self.origin = decode(message.topic, message.payload)
        self.record = encode(series, value, ns)
        self.message = message


@boundary
def counters_record(
    message: Message, encode: Callable[[str, str, Mapping[str, int], int], str]
) -> str | None:
    """Return the storage's record of the counters in a status; None if it has no counters.

    `encode` is the `counters` method of a Storage. Raises Unreadable.
    """
    status = decode_status(message.payload)
    service, instance = topics.labels(message.topic)
    if not status.counters:
        return None
    return encode(service, instance, status.counters, time.time_ns())
