"""Why a body is not accepted, in words for people: the slow way, in bounded time."""

import re
from collections.abc import Iterable, Iterator
from itertools import chain, islice

import msgspec

from collector.intake import exact
from collector.intake.draft import draft
from collector.intake.errors import MAX_READINGS, InvalidReadings, NotJson, TooManyReadings
from collector.intake.faults import Fault, fault, faults_of
from collector.intake.items import Item, items_of
from telemetry.not_json import is_not_json, reason
from telemetry.reading import Reading, RepeatedMember

MAX_FAULTS = 100
# More commas than so many readings have: the items are not even separated.
_MAX_COMMAS = 20 * MAX_READINGS
# The exact decoder is slow: beyond these bytes of invalid readings it is not asked.
_MAX_EXAMINED_BYTES = 1 << 18
_UNLISTED = "is not valid, and too large to be examined for each fault"
# Where msgspec's words end with an element of an array.
_PLACE = re.compile(r".* - at `\$\[(\d+)\]", re.DOTALL)

_one = msgspec.json.Decoder(Reading)
_any = msgspec.json.Decoder(msgspec.Raw)


def explanation(content: bytes, error: Exception, *, lines: bool) -> ValueError:
    """Return NotJson, TooManyReadings or InvalidReadings for what decoding `content` raised.

    The decoder stops at the first fault; here all are found, up to MAX_FAULTS.
    """
    if not content.strip(b" \t\r\n"):
        return NotJson("the body is empty")
    if not lines and content.count(b",") > _MAX_COMMAS and not is_not_json(error):
        return _unseparated(str(error))
    try:
        if not lines and is_not_json(error):
            raise error
        return _of_items(items_of(content, lines=lines), error)
    except NotJson as located:
        return located
    except (ValueError, RecursionError) as not_json:
        return NotJson(f"the body is not JSON: {reason(content, not_json)}")


def _of_items(items: Iterator[Item], error: Exception) -> ValueError:
    found = _listed(_faults(islice(items, MAX_READINGS)))
    if found:
        return found
    if next(items, None):
        return TooManyReadings()
    # Meanwhile all are valid: a timestamp has come within a day of the clock.
    return InvalidReadings([fault(Item(0, None, b""), str(error))])


def loss(items: Iterable[Item]) -> ValueError:
    """Return NotJson or InvalidReadings for readings of which decoding has lost something."""
    try:
        found = _listed(chain.from_iterable(map(_examine, items)))
    except NotJson as located:
        return located
    assert found  # noqa: S101  each of them has a fault
    return found


def _listed(faults: Iterable[Fault]) -> InvalidReadings | None:
    found = list(islice(faults, MAX_FAULTS + 1))
    if not found:
        return None
    return InvalidReadings(found[:MAX_FAULTS], are_all=len(found) <= MAX_FAULTS)


def _faults(items: Iterable[Item]) -> Iterator[Fault]:
    examined = 0
    for item in items:
        try:
            draft(_one.decode(item.text))
        except (ValueError, RecursionError) as error:
            if is_not_json(error):
                raise _broken(item, error) from None
        else:
            continue
        examined += len(item.text)
        if examined <= _MAX_EXAMINED_BYTES:
            yield from _examine(item)
        else:
            yield _unlisted(item)


def _examine(item: Item) -> Iterator[Fault]:
    if exact.has_repetition(item) and len(item.text) > _MAX_EXAMINED_BYTES:
        raise NotJson(f"{item.place}: a member occurs more than once in an object")
    try:
        yield from faults_of(item)
    except (RepeatedMember, exact.TooManyDigits) as error:
        raise NotJson(f"{item.place}: {error}") from None
    except (ValueError, RecursionError) as error:
        raise _broken(item, error) from None


def _unlisted(item: Item) -> Fault:
    try:
        item.text.decode()
        _any.decode(item.text)
    except (ValueError, RecursionError) as error:
        raise _broken(item, error) from None
    return fault(item, _UNLISTED)


def _broken(item: Item, error: Exception) -> NotJson:
    return NotJson(f"{item.place} is not JSON: {reason(item.text, error)}")


def _unseparated(first: str) -> ValueError:
    """Return the error for very many parts; the decoder's words for its first fault name one."""
    found = _PLACE.match(first)
    index = int(found[1]) if found else 0
    if index >= MAX_READINGS:
        return TooManyReadings()
    return InvalidReadings([fault(Item(index, None, b""), _UNLISTED)])
