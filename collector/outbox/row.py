"""A reading in the outbox, before and after it gets its sequence number."""

from typing import NamedTuple

import msgspec


class _Valued(msgspec.Struct):
    value: int | float


_valued = msgspec.json.Decoder(_Valued).decode


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
        return float(_valued(self.payload).value)
