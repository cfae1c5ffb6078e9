"""RFC 3339 timestamps as integers: nanoseconds since the epoch, UTC."""

import re
from datetime import UTC, datetime
from functools import lru_cache

# InfluxDB's own limits: models.MinNanoTime and models.MaxNanoTime.
MIN_NS = -9223372036854775806
MAX_NS = 9223372036854775806

# Without the fraction of a second.
_RFC3339 = re.compile(r"(\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d)([Zz]|[+-]\d\d:[0-5]\d)", re.ASCII)
_SECOND_SIZE = len("2026-01-31T12:00:00")
_OFFSET_SIZE = len("+00:00")
_MAX_DIGITS = 9
_S = 1_000_000_000
_EXPECTED = "must be RFC 3339 with an offset, such as 2026-01-31T12:00:00Z"


def parse(text: str) -> int:
    """Return the nanoseconds since the epoch of an RFC 3339 timestamp.

    Raises ValueError with what was expected when `text` is not such a timestamp, has more than
    nine decimals of a second, is a leap second, or lies outside MIN_NS..MAX_NS.
    """
    ns = 0
    if text[_SECOND_SIZE : _SECOND_SIZE + 1] == ".":
        end = -1 if text[-1] in "Zz" else -_OFFSET_SIZE
        fraction = text[_SECOND_SIZE + 1 : end]
        if not (fraction.isdecimal() and fraction.isascii()):
            raise ValueError(_EXPECTED)
        if len(fraction) > _MAX_DIGITS:
            raise ValueError("must not be finer than a nanosecond (9 digits)")
        ns = int(fraction.ljust(_MAX_DIGITS, "0"))
        text = text[:_SECOND_SIZE] + text[end:]
    ns += _epoch(text) * _S
    if not MIN_NS <= ns <= MAX_NS:
        raise ValueError(f"must lie between {render(MIN_NS)} and {render(MAX_NS)}")
    return ns


def render(ns: int) -> str:
    """Return `ns` as RFC 3339 in UTC, with as many decimals of a second as it needs."""
    second, fraction = divmod(ns, _S)
    if not fraction:
        return _text(second) + "Z"
    return f"{_text(second)}.{fraction:09d}".rstrip("0") + "Z"


# Consecutive readings mostly have the same second, so nearly every call is a cache hit.
@lru_cache(maxsize=4096)
def _epoch(text: str) -> int:
    match = _RFC3339.fullmatch(text)
    if match is None:
        raise ValueError(_EXPECTED)
    second, offset = match.groups()
    if second.endswith(":60"):
        raise ValueError("has a second 60 (a leap second), which InfluxDB cannot hold; send 59")
    if second[11:13] == "24":  # the end of a day in ISO 8601; from 3.14 on Python knows it too
        raise ValueError("is no date and time: hour must be in 0..23")
    try:
        moment = datetime.fromisoformat(second + ("+00:00" if offset in "Zz" else offset))
        return (moment - _EPOCH) // _SECOND
    except ValueError as error:
        raise ValueError(f"is no date and time: {error}") from None


@lru_cache(maxsize=4096)
def _text(second: int) -> str:
    return (_EPOCH + second * _SECOND).replace(tzinfo=None).isoformat()


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND = datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC) - _EPOCH
