"""JSON Schema of a reading: it forbids what the collector refuses, as far as a schema can."""

import calendar
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from functools import lru_cache
from itertools import groupby
from typing import Any

from telemetry.reading import FORBIDDEN, MAX_LABEL, MAX_SENSOR_ID, MAX_VALUE

READING = {"$ref": "#/components/schemas/Reading"}
_LABEL = {"$ref": "#/components/schemas/Label"}
_TIMESTAMP = {"$ref": "#/components/schemas/Timestamp"}

# Python's $ also matches before a newline at the end.
_END = r"(?!\n)$"
_CHARACTERS = 0x110000
_TEXT_ESCAPES = {"\\": "\\\\", "]": "\\]", "[": "\\[", "^": "\\^", "-": "\\-"}
_MINUTES = r":[0-5][0-9]:[0-5][0-9](?:\.[0-9]{1,9})?"
_AHEAD = r"(?:[Zz]|\+(?:[01][0-9]|2[0-3]):[0-5][0-9])"  # of UTC, or UTC itself
_BEHIND = r"-(?:[01][0-9]|2[0-3]):[0-5][0-9]"
_NOT_TOO_EARLY = r"(?!1970-01-01[^+]*\+)"
_COMMON_YEAR_ENDS = date(1970, 12, 31)
_DAY = timedelta(days=1)
_BEHIND_LITTLE = r"-(?:0[0-9]|1[0-2]):[0-5][0-9]"


def schemas(now: datetime) -> dict[str, Any]:
    """Return the schemas of a reading and its parts by name; `now`, in UTC, bounds `ts`."""
    return {
        "Reading": {
            "type": "object",
            "required": ["type", "value", "sensor_id"],
            "additionalProperties": False,
            "properties": {
                "ts": _TIMESTAMP,
                "type": _LABEL,
                "value": {
                    "description": "stored as a 64-bit float; not so small that it would become 0",
                    "type": "number",
                    "minimum": -MAX_VALUE,
                    "maximum": MAX_VALUE,
                },
                "sensor_id": {
                    "description": '7 and "7" are the same sensor; 7.0 is none',
                    "anyOf": [{"type": "integer", "minimum": 0, "maximum": MAX_SENSOR_ID}, _LABEL],
                },
            },
            "examples": [
                {"ts": "2026-01-31T12:00:00Z", "type": "temp", "value": 21, "sensor_id": 123}
            ],
        },
        "Label": {
            "description": "printable, without / + #, not beginning with $, not ending with a"
            " backslash",
            "type": "string",
            "minLength": 1,
            "maxLength": MAX_LABEL,
            "pattern": f"^[{_label_characters()}]+{_END}",
            "not": {"pattern": r"^\$|\\$"},
        },
        "Timestamp": {
            "description": "RFC 3339 with an offset, to the nanosecond, without leap seconds, from"
            " 1970 to a day ahead of the collector's clock; absent: now. The pattern is that of the"
            " hour in which it was asked for, and forbids the last and the first hours",
            "type": "string",
            "format": "date-time",
            "pattern": f"^{_NOT_TOO_EARLY}(?:{'|'.join(_timestamps(now))}){_END}",
        },
    }


@lru_cache(maxsize=1)
def _label_characters() -> str:
    """Return the characters of a label as ranges for a pattern's brackets."""
    allowed = [c for c in map(chr, range(_CHARACTERS)) if c.isprintable() and c not in FORBIDDEN]
    runs = groupby(enumerate(map(ord, allowed)), key=lambda numbered: numbered[1] - numbered[0])
    ranges = [[code for _, code in run] for _, run in runs]
    return "".join(
        _character(codes[0]) + (f"-{_character(codes[-1])}" if len(codes) > 1 else "")
        for codes in ranges
    )


def _character(code: int) -> str:
    """Return a character for a pattern; beyond 16 bits there is no escape that all tools know."""
    if 0x7F < code < 0x10000:  # noqa: PLR2004
        return f"\\u{code:04x}"
    return _TEXT_ESCAPES.get(chr(code), chr(code))


def _timestamps(now: datetime) -> Iterator[str]:
    """Yield patterns of timestamps that are certain to be in time at `now` and afterwards.

    A date before today has begun everywhere; for today and tomorrow it depends on the offset. What
    clocks show at `now`, from 12 hours behind UTC to 14 ahead, is among them.
    """
    today, any_hour = now.date(), f"(?:{_numbers(0, 23)})"
    yield f"(?:{'|'.join(_dates(today - _DAY))})[Tt]{any_hour}{_MINUTES}(?:{_AHEAD}|{_BEHIND})"
    yield f"{today}[Tt]{any_hour}{_MINUTES}{_AHEAD}"
    soon = f"(?:{_numbers(0, min(23, now.hour + 10))})"
    yield f"{today}[Tt]{soon}{_MINUTES}{_BEHIND_LITTLE}"
    if now.hour:
        past = f"(?:{_numbers(0, now.hour - 1)})"
        yield f"{today + _DAY}[Tt]{past}{_MINUTES}{_AHEAD}"


def _dates(last: date) -> Iterator[str]:
    """Yield patterns of the dates from 1970-01-01 on."""
    years = f"19[7-9][0-9]|20(?:{_numbers(0, last.year - 2001)})"
    yield f"(?:{years})-(?:{_days(_COMMON_YEAR_ENDS)})"
    leap = [str(year) for year in range(1970, last.year) if calendar.isleap(year)]
    yield f"(?:{'|'.join(leap)})-02-29"
    yield f"{last.year}-(?:{_days(last)})"


def _days(last: date) -> str:
    """Return a pattern of the months and days of a year up to this one."""
    months: dict[int, list[str]] = {}
    for month in range(1, last.month + 1):
        length = calendar.monthrange(last.year, month)[1]
        days = last.day if month == last.month else length
        months.setdefault(days, []).append(f"{month:02}")
    return "|".join(f"(?:{'|'.join(ms)})-(?:{_numbers(1, days)})" for days, ms in months.items())


def _numbers(first: int, last: int) -> str:
    """Return a pattern of the numbers of two digits from `first`, 0 or 1, to `last`."""
    tens, ones = divmod(last, 10)
    if not tens:
        return f"0[{first}-{ones}]"
    between = f"[1-{tens - 1}][0-9]|" if tens > 1 else ""
    return f"0[{first}-9]|{between}{tens}[0-{ones}]"
