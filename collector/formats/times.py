"""Times in what devices send, as RFC 3339."""

import re
import time
from datetime import datetime
from zoneinfo import ZoneInfo

from collector.formats.payload import shown
from telemetry import timestamp

_S = 10**9
_LOCAL = re.compile(r"(\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?", re.ASCII)
_EXPECTED = (
    "expected a time such as 2026-01-31T12:00:00Z, 2026-01-31T12:00:00 (local time) or 1769860800"
    " (seconds or milliseconds since 1970)"
)
# In seconds it would be the year 5138, in milliseconds 1973.
_MILLISECONDS_FROM = 1e11
# 2000-01-01. Clocks that are not set yet start in 1970, some in other years before it.
_CLOCK_IS_SET_NS = 946_684_800 * _S
_AHEAD_S = 60


def rfc3339(found: object, zone: ZoneInfo) -> str | None:
    """Return a device's time as RFC 3339 in UTC; None if its clock is not set.

    `zone` is that of times without an offset. Raises ValueError with what was expected.
    """
    try:
        ns = _ns(found, zone)
        return timestamp.render(ns) if ns >= _CLOCK_IS_SET_NS else None
    except (TypeError, ValueError, OverflowError):
        raise ValueError(f"{_EXPECTED}{shown(found)}") from None


def _ns(found: object, zone: ZoneInfo) -> int:
    if isinstance(found, str):
        local = _LOCAL.fullmatch(found)
        return _local_ns(local[1], local[2], zone) if local else timestamp.parse(found)
    if not isinstance(found, int | float) or isinstance(found, bool):
        raise TypeError
    seconds = float(found)
    if abs(seconds) >= _MILLISECONDS_FROM:
        seconds /= 1000
    # A float of such a size is exact to less than a microsecond.
    return round(seconds * 10**6) * 1000


def _local_ns(second: str, fraction: str | None, zone: ZoneInfo) -> int:
    """Return a local time in nanoseconds.

    Of the two in the hour that is repeated in autumn it is the later one that is not ahead.
    """
    naive = datetime.fromisoformat(second)
    first, later = (naive.replace(tzinfo=zone, fold=fold).timestamp() for fold in (0, 1))
    seconds = later if first < later <= time.time() + _AHEAD_S else first
    return int(seconds) * _S + int((fraction or "0").ljust(9, "0"))
