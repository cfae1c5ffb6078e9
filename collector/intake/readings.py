"""JSON to readings in their normal form."""

from collections.abc import Sequence
from itertools import chain

import msgspec

from collector.intake import exact
from collector.intake.draft import draft
from collector.intake.errors import MAX_READINGS, InvalidReadings, NotJson, TooManyReadings
from collector.intake.explanation import explanation, loss
from collector.intake.items import is_array, items_of
from collector.outbox.row import Draft
from telemetry.reading import Reading

_one = msgspec.json.Decoder(Reading)
_many = msgspec.json.Decoder(list[Reading])


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
            lossy = exact.lossy(items_of(content, lines=lines))
            if first := next(lossy, None):
                raise loss(chain([first], lossy))
    except (NotJson, TooManyReadings, InvalidReadings):
        raise
    except (ValueError, RecursionError) as error:
        raise explanation(content, error, lines=lines) from None
    return readings, drafts, single


def _decode(content: bytes, *, lines: bool) -> tuple[Sequence[Reading], bool]:
    if lines:
        readings, single = _one.decode_lines(content), False
    elif is_array(content):
        readings, single = _many.decode(content), False
    else:
        return (_one.decode(content),), True
    if not readings:
        raise NotJson("the body is empty" if lines else "the body holds no reading")
    if len(readings) > MAX_READINGS:
        raise TooManyReadings
    return readings, single
