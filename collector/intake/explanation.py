"""Why a body is not accepted, in words for people: the slow way, in bounded time."""

import re
from collections.abc import Iterator
from itertools import islice

import msgspec

from collector.intake import exact
from collector.intake.draft import draft
from collector.intake.errors import MAX_READINGS, InvalidReadings, NotJson, TooManyReadings
from collector.intake.faults import Fault, fault, faults_of
from collector.intake.items import Item, items_of
from collector.intake.not_json import reason
from telemetry.reading import Reading, RepeatedMember

MAX_FAULTS = 100
# More commas than so many readings have: the items are not even separated.
_MAX_COMMAS = 20 * MAX_READINGS
# The exact decoder is slow: beyond these bytes of invalid readings it is not asked.
_MAX_EXAMINED_BYTES = 1 << 20
_UNLISTED = "is not valid, and too large with the others to be examined for each fault"
# Where msgspec's words name an element of an array.
_PLACE = re.compile(r"`\$\[(\d+)\]")

_one = msgspec.json.Decoder(Reading)


def explanation(content: bytes, error: Exception, *, lines: bool) -> ValueError:
    """Return NotJson, TooManyReadings or InvalidReadings for what decoding `content` raised.

    The decoder stops at the first fault; here all are found, up to MAX_FAULTS.
    """
    if not content or content.isspace():
        return NotJson("the body is empty")
    is_invalid = isinstance(error, msgspec.ValidationError)
    if is_invalid and not lines and content.count(b",") > _MAX_COMMAS:
        return _unseparated(str(error))
    is_lossy = isinstance(error, RepeatedMember | exact.Lossy)
    try:
        items = islice(items_of(content, lines=lines), MAX_READINGS)
        found = list(islice(_faults(items, is_lossy=is_lossy), MAX_FAULTS + 1))
    except NotJson as located:
        return located
    except (ValueError, RecursionError):
        return NotJson(f"the body is not JSON: {reason(content)}")
    if not found:
        return TooManyReadings()
    return InvalidReadings(found[:MAX_FAULTS], are_all=len(found) <= MAX_FAULTS)


def _faults(items: Iterator[Item], *, is_lossy: bool) -> Iterator[Fault]:
    examined = 0
    is_fine = _is_exact if is_lossy else _is_valid
    for item in items:
        if is_fine(item):
            continue
        examined += len(item.text)
        if is_lossy or examined <= _MAX_EXAMINED_BYTES:
            yield from _examine(item)
        else:
            yield fault(item, _UNLISTED)


def _is_valid(item: Item) -> bool:
    try:
        draft(_one.decode(item.text))
    except (ValueError, RecursionError):
        return False
    return True


def _is_exact(item: Item) -> bool:
    try:
        exact.check(item.text, lines=False)
    except ValueError:
        return False
    return True


def _examine(item: Item) -> Iterator[Fault]:
    try:
        yield from faults_of(item)
    except (RepeatedMember, exact.TooManyDigits) as error:
        raise NotJson(f"{item.place}: {error}") from None
    except (ValueError, RecursionError):
        if item.line is None:
            raise
        raise NotJson(f"{item.place} is not JSON: {reason(item.text)}") from None


def _unseparated(first: str) -> ValueError:
    """Return the error for very many parts; the decoder's words for its first fault name one."""
    found = _PLACE.search(first)
    index = int(found[1]) if found else 0
    if index >= MAX_READINGS:
        return TooManyReadings()
    return InvalidReadings([fault(Item(index, None, b""), _UNLISTED)])
