"""JSON decoded without losing anything: each repeated member and each digit is noticed."""

import json
import math
from collections.abc import Sequence
from typing import Any

from msgspec import UNSET

from collector.intake.items import lines_of
from telemetry.reading import Reading, unique_members

_MAX_DIGITS = 400
# A value that underflows has one of these in it; few bodies do, and the exact way takes its time.
_TINY = (b"e-", b"E-", b"0" * 300)


class Lossy(ValueError):
    """Decoding has lost something of readings that are valid otherwise."""


class TooManyDigits(Lossy):
    """A number that would take too long to read."""


class TooSmall(float):
    """A number that is not 0, and too small for a 64-bit float."""


def loads(content: bytes) -> Any:  # noqa: ANN401  whatever JSON can say
    """Decode JSON; raises RepeatedMember, or another ValueError or RecursionError: not JSON."""
    return _decoder.decode(content.decode())


def is_suspect(content: bytes, readings: Sequence[Reading]) -> bool:
    """Return whether decoding `content` to these readings may have lost something.

    To be called before the readings get their normal form.
    """
    quotes, has_zero = 0, False
    for reading in readings:  # as JSON, without escapes and without any member repeated
        quotes += 10 if type(reading.sensor_id) is str else 8
        if reading.ts is not UNSET:
            quotes += 4
        if not reading.value:
            has_zero = True
    return (
        content.count(b'"') != quotes
        or content.find(b"\\") >= 0
        or (has_zero and any(content.find(part) >= 0 for part in _TINY))
    )


def check(content: bytes, *, lines: bool) -> None:
    """Raise RepeatedMember or Lossy if decoding these valid readings has lost something."""
    decoded = [loads(line) for line in lines_of(content)] if lines else loads(content)
    for reading in decoded if isinstance(decoded, list) else [decoded]:
        if isinstance(reading["value"], TooSmall):
            raise Lossy("value is not 0, but too small for a 64-bit float")


def _integer(digits: str) -> float:
    if len(digits) <= _MAX_DIGITS:
        return int(digits)
    return -math.inf if digits[0] == "-" else math.inf  # and so a fault


def _float(text: str) -> float:
    if len(text) > _MAX_DIGITS:  # Python takes the square of their number to read them
        raise TooManyDigits(f"a number has more than {_MAX_DIGITS} digits")
    number = float(text)
    mantissa = text.lower().partition("e")[0]
    if number == 0 and mantissa.strip("-0."):
        return TooSmall(number)
    return number


_decoder = json.JSONDecoder(
    object_pairs_hook=unique_members, parse_int=_integer, parse_float=_float
)
