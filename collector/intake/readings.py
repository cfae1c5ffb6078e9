"""JSON to readings in their normal form."""

import time
from collections.abc import Sequence

import msgspec

from collector.intake.faults import Fault, faults
from collector.outbox.row import Draft
from telemetry import timestamp
from telemetry.reading import Reading, check_value, series

_one = msgspec.json.Decoder(Reading)
_many = msgspec.json.Decoder(list[Reading])
_encode = msgspec.json.Encoder().encode


class NotJson(ValueError):
    """The content is not JSON."""


class InvalidReadings(ValueError):
    """The content is JSON, but not that of valid readings; `faults` lists what is wrong."""

    def __init__(self, detail: str, faults: list[Fault]) -> None:
        super().__init__(detail)
        self.faults = faults


def accept(content: bytes, *, lines: bool) -> tuple[Sequence[Reading], list[Draft], bool]:
    """Decode readings from JSON, or NDJSON (`lines`), into their normal form.

    Returns the readings, their drafts, and whether they were one JSON object rather than a batch.
    Raises NotJson, or InvalidReadings if any of them breaks a rule.
    """
    try:
        readings, single = _decode(content, lines=lines)
        return readings, [draft(reading) for reading in readings], single
    except ValueError as error:
        raise _explanation(content, error, lines=lines) from None


def draft(reading: Reading) -> Draft:
    """Return the reading as the outbox keeps it; ValueError naming the field that breaks a rule.

    Its `ts` is set to UTC, or to the collector's clock where it has none.
    """
    name = series(reading.sensor_id, reading.type)
    check_value(reading.value)
    ns = time.time_ns() if reading.ts is msgspec.UNSET else timestamp.parse(reading.ts)
    reading.ts = timestamp.render(ns)
    return Draft(name, ns, _encode(reading))


def _decode(content: bytes, *, lines: bool) -> tuple[Sequence[Reading], bool]:
    try:
        if lines:
            return _one.decode_lines(content), False
        if content.lstrip(b" \t\r\n")[:1] == b"[":
            return _many.decode(content), False
        return (_one.decode(content),), True
    except msgspec.ValidationError:
        raise
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise NotJson(str(error)) from None


def _explanation(content: bytes, error: ValueError, *, lines: bool) -> ValueError:
    # The decoder stops at the first fault; the slow way finds them all.
    if isinstance(error, NotJson):
        return error
    try:
        return InvalidReadings(str(error), faults(content, lines=lines))
    except (ValueError, RecursionError) as not_json:
        return NotJson(str(not_json))
