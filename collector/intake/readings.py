"""JSON to readings in their normal form."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

import msgspec

from collector.intake import exact
from collector.intake.draft import draft
from collector.intake.faults import Fault, fault, faults_of
from collector.outbox.row import Draft
from telemetry.reading import Reading, RepeatedMember

MAX_READINGS = 10_000
"""Of one request: they are checked in one turn of the event loop, in less than 200 ms."""

MAX_FAULTS = 100
# More commas than so many readings have: the items are not even separated.
_MAX_COMMAS = 20 * MAX_READINGS
# The exact decoder is slow. Beyond these bytes of invalid readings the fast one's word is enough.
_MAX_EXAMINED_BYTES = 1 << 20
_MAX_DETAIL = 300

_one = msgspec.json.Decoder(Reading)
_many = msgspec.json.Decoder(list[Reading])
_items = msgspec.json.Decoder(list[msgspec.Raw])

_BYTE_ORDER_MARKS = {b"\xef\xbb\xbf": "UTF-8", b"\xff\xfe": "UTF-16", b"\xfe\xff": "UTF-16"}


class NotJson(ValueError):
    """The content is not JSON, holds no reading, or something of which one would be lost."""


class TooManyReadings(ValueError):
    """More readings in one request than are taken at once."""

    def __init__(self) -> None:
        super().__init__(f"more than {MAX_READINGS} readings in one request; send smaller batches")


class InvalidReadings(ValueError):
    """The content is JSON, but not that of valid readings; `faults` lists what is wrong."""

    def __init__(self, detail: str, faults: list[Fault]) -> None:
        super().__init__(detail)
        self.faults = faults


def accept(content: bytes, *, lines: bool) -> tuple[Sequence[Reading], list[Draft], bool]:
    """Decode readings from JSON, or NDJSON (`lines`), into their normal form.

    Returns the readings, their drafts, and whether they were one JSON object rather than a batch.
    Raises NotJson, TooManyReadings, or InvalidReadings if any of them breaks a rule.
    """
    try:
        readings, single = _decode(content, lines=lines)
        is_suspect = exact.is_suspect(content, readings)
        drafts = [draft(reading) for reading in readings]
        if is_suspect:
            exact.check(content, ndjson=lines)
    except (NotJson, TooManyReadings):
        raise
    except ValueError as error:
        raise _explanation(content, error, lines=lines) from None
    return readings, drafts, single


def _decode(content: bytes, *, lines: bool) -> tuple[Sequence[Reading], bool]:
    try:
        if lines:
            readings, single = _one.decode_lines(content), False
        elif content.lstrip(b" \t\r\n")[:1] == b"[":
            readings, single = _many.decode(content), False
        else:
            return (_one.decode(content),), True
    except msgspec.ValidationError:
        raise
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _not_json(content, error) from None
    if not readings:
        raise NotJson("the body holds no reading")
    if len(readings) > MAX_READINGS:
        raise TooManyReadings
    return readings, single


def _not_json(content: bytes, error: Exception) -> NotJson:
    for mark, encoding in _BYTE_ORDER_MARKS.items():
        if content.startswith(mark):
            return NotJson(
                f"the body is not JSON: it begins with a byte order mark of {encoding}; send UTF-8"
                " without one"
            )
    return NotJson(f"the body is not JSON: {error}"[:_MAX_DETAIL])


def _explanation(content: bytes, error: ValueError, *, lines: bool) -> ValueError:
    """Return the error to raise; the decoder stops at the first fault, the slow way finds more."""
    detail = str(error)[:_MAX_DETAIL]
    if isinstance(error, RepeatedMember | exact.TooManyDigits):
        return NotJson(detail)
    if isinstance(error, exact.Inexact):
        return InvalidReadings(detail, [fault(error.index, "value", error.given, detail)])
    try:
        if content.count(b",") > _MAX_COMMAS:
            return InvalidReadings(detail, [fault(0, None, None, detail)])
        items = islice(_separate(content, lines=lines), MAX_READINGS)
        found = list(islice(_faults(items), MAX_FAULTS))
    except RepeatedMember as repeated:
        return NotJson(str(repeated))
    except (ValueError, RecursionError) as not_json:
        return _not_json(content, not_json)
    return InvalidReadings(detail, found) if found else TooManyReadings()


def _separate(content: bytes, *, lines: bool) -> Iterable[bytes]:
    if lines:
        return exact.lines(content)
    if content.lstrip(b" \t\r\n")[:1] == b"[":
        return map(bytes, _items.decode(content))
    return (content,)


def _faults(items: Iterable[bytes]) -> Iterator[Fault]:
    examined = 0
    for index, item in enumerate(items):
        try:
            draft(_one.decode(item))
        except (ValueError, RecursionError) as error:
            examined += len(item)
            if examined <= _MAX_EXAMINED_BYTES:
                yield from faults_of(index, exact.loads(item))
            else:
                yield fault(index, None, None, str(error)[:_MAX_DETAIL])
