"""JSON decoded without losing anything: each repeated member and each digit is noticed."""

import json
import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from msgspec import UNSET

from collector.intake.items import Item
from telemetry.reading import MAX_LABEL, Reading, unique_members

_MAX_DIGITS = 400
# A value that underflows has one of these in it; few bodies do, and the exact way takes its time.
_TINY = (b"e-", b"E-", b"0" * 300)


# Of a reading without a repeated member: its four names, three strings, and in two of these each
# character may be one.
_MAX_QUOTES = 2 * 4 + 2 * 3 + 2 * MAX_LABEL


class TooManyDigits(ValueError):
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


def lossy(items: Iterable[Item]) -> Iterator[Item]:
    """Yield those of these valid readings of which decoding has lost something."""
    for item in items:
        try:
            if has_repetition(item) or isinstance(loads(item.text)["value"], TooSmall):
                yield item
        except (ValueError, TypeError):
            yield item


def has_repetition(item: Item) -> bool:
    """Return whether a valid reading has so many quotation marks that a member is repeated.

    Decoding it exactly, to find out which, would take too long.
    """
    return item.text.count(b'"') > _MAX_QUOTES


def _integer(digits: str) -> float:
    if len(digits) <= _MAX_DIGITS:
        return int(digits)
    return -math.inf if digits[0] == "-" else math.inf  # and so a fault


def real(text: str) -> float:
    """Return a number with a fraction or an exponent, or TooSmall; raises TooManyDigits."""
    if len(text) > _MAX_DIGITS:  # Python takes the square of their number to read them
        raise TooManyDigits(f"a number has more than {_MAX_DIGITS} digits")
    number = float(text)
    mantissa = text.lower().partition("e")[0]
    if number == 0 and mantissa.strip("+-0."):
        return TooSmall(number)
    return number


_decoder = json.JSONDecoder(object_pairs_hook=unique_members, parse_int=_integer, parse_float=real)
