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
_last_ns = 0
# Of the nanoseconds of the collector's clock the last three digits are the number of its outbox, so
# that collectors of one directory never give one nanosecond of a series twice.
_DIGITS = 1000
_number = 1


def draft(reading: Reading) -> Draft:
    """Return the reading as the outbox keeps it; ValueError naming the field that breaks a rule.

    Its `ts` is set to UTC, or to the collector's clock where it has none.
    """
    name = series(reading.sensor_id, reading.type)
    check_value(reading.value)
    ns = _next_ns() if reading.ts is msgspec.UNSET else checked_ns(reading.ts)
    reading.ts = timestamp.render(ns)
    return Draft(name, ns, _encode(reading))


def checked_ns(ts: str) -> int:
    """Return a timestamp in nanoseconds; ValueError unless it is from 1970 to a day from now."""
    ns = timestamp.parse(ts)
    latest = time.time_ns() + _AHEAD_NS
    if not 0 <= ns <= latest:
        raise ValueError(
            f"must lie between {timestamp.render(0)} and {timestamp.render(latest)},"
            " a day ahead of the collector's clock"
        )
    return ns


def stamp_with(number: int) -> None:
    """Let the collector's clock tell the number of its outbox."""
    global _number  # noqa: PLW0603  of the process, as the clock is
    _number = number % _DIGITS


def _next_ns() -> int:
    """Return the clock's time in nanoseconds, later than any returned before."""
    global _last_ns  # noqa: PLW0603  two readings without a ts must not be one point
    ns = time.time_ns() // _DIGITS * _DIGITS + _number
    if ns <= _last_ns:
        ns = _last_ns + _DIGITS
    _last_ns = ns
    return ns
