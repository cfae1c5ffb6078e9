"""A decoded reading to its normal form."""

import time

import msgspec

from collector.outbox.row import Draft
from telemetry import timestamp
from telemetry.reading import Reading, check_value, series

# A device's clock may be a little ahead. What lies further ahead is wrong, and would stay the
# newest reading of its series for as long.
_AHEAD_NS = 24 * 3600 * 10**9

_encode = msgspec.json.Encoder().encode


def draft(reading: Reading) -> Draft:
    """Return the reading as the outbox keeps it; ValueError naming the field that breaks a rule.

    Its `ts` is set to UTC, or to the collector's clock where it has none.
    """
    name = series(reading.sensor_id, reading.type)
    check_value(reading.value)
    ns = time.time_ns() if reading.ts is msgspec.UNSET else checked_ns(reading.ts)
    reading.ts = timestamp.render(ns)
    return Draft(name, ns, _encode(reading))


def checked_ns(ts: str) -> int:
    """Return a timestamp in nanoseconds; ValueError unless it is from 1970 to a day from now."""
    ns = timestamp.parse(ts)
    if ns > (latest := time.time_ns() + _AHEAD_NS):
        raise ValueError(
            f"must lie between {timestamp.render(timestamp.MIN_NS)} and {timestamp.render(latest)},"
            " a day ahead of the collector's clock"
        )
    return ns
