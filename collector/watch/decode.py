"""Messages of readings/# to what is shown of them."""

from typing import NamedTuple

import msgspec
from msgspec import UNSET

from telemetry import timestamp, topics
from telemetry.decode import boundary
from telemetry.reading import PublishedReading, check_members, check_value, series

_reading = msgspec.json.Decoder(PublishedReading)


class Seen(NamedTuple):
    """A reading; `ns` is None without a timestamp."""

    series: str
    sensor_id: str
    type: str
    value: float
    ns: int | None


@boundary
def decode(topic: str, payload: bytes) -> Seen:
    """Decode a message; raises Unreadable where the bridge would.

    Names are printable: no escape sequence of a terminal gets through.
    """
    reading = _reading.decode(payload)
    check_members(payload, reading)
    sensor_id, type_ = topics.labels(topic)
    if reading.sensor_id is not UNSET and str(reading.sensor_id) != sensor_id:
        raise ValueError("sensor_id is not the topic's")
    if reading.type is not UNSET and reading.type != type_:
        raise ValueError("type is not the topic's")
    check_value(reading.value)
    ns = None if reading.ts is UNSET else timestamp.parse(reading.ts)
    return Seen(series(sensor_id, type_), sensor_id, type_, reading.value, ns)
