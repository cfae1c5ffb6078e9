"""A reading in the outbox, before and after it gets its sequence number."""

from typing import NamedTuple

import msgspec

from telemetry.published import PublishedReading

_published = msgspec.json.Decoder(PublishedReading).decode


class Draft(NamedTuple):
    """A valid reading without a sequence number.

    `series` is `<sensor_id>/<type>`, `ns` its timestamp in nanoseconds since the epoch, `body` its
    normal form as a JSON object, without the `id`.
    """

    series: str
    ns: int
    body: bytes


class Row(NamedTuple):
    """A reading in the outbox.

    `at` is when it was accepted (Unix time, s), `ns` its timestamp in nanoseconds since the epoch,
    `payload` the JSON object that is published.
    """

    seq: int
    at: int
    ns: int
    series: str
    payload: bytes

    @property
    def value(self) -> float:
        """The measured value, decoded from the payload."""
        return float(_published(self.payload).value)
