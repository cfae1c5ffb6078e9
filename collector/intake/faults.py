"""Finds every fault of an invalid reading, by field, where the decoder stops at one."""

from collections.abc import Callable, Iterator
from typing import cast

import msgspec

from collector.intake import exact
from collector.intake.draft import checked_ns
from collector.intake.items import Item
from telemetry.reading import MAX_SENSOR_ID, Reading, is_finite, label_fault

_REQUIRED = [field.name for field in msgspec.structs.fields(Reading) if field.required]
_MAX_SHOWN = 100
_MAX_CHARACTER_BYTES = 4

_members = msgspec.json.Decoder(dict[str, msgspec.Raw])

Fault = dict[str, object]


def faults_of(item: Item) -> Iterator[Fault]:
    """Yield the faults of an item of a request; none if it is a valid reading.

    Raises RepeatedMember, or another ValueError or RecursionError: not JSON.
    """
    reading = exact.loads(item.text)
    if not isinstance(reading, dict):
        yield fault(item, "must be a JSON object", sent=item.text)
        return
    sent = _members.decode(item.text)
    for field in _REQUIRED:
        if field not in reading:
            yield fault(item, "is required", field)
    for field, given in reading.items():
        rule = _RULES.get(field)
        detail = rule(given) if rule else "is not a field of a reading"
        if detail is not None:
            yield fault(item, detail, field, bytes(sent[field]))


def fault(item: Item, detail: str, field: str | None = None, sent: bytes | None = None) -> Fault:
    """Return an entry of the list of faults; field and value are shown as sent, but shortened."""
    described: Fault = {"index": item.position}
    if item.line is not None:
        described["line"] = item.line
    described["detail"] = detail
    if field is not None:
        described["field"] = _shortened(field)
    if sent is not None:
        described["value"] = shown(sent)
    return described


def summary(faults: list[Fault], *, are_all: bool) -> str:
    """Return one sentence for people: the first fault, and how many there are."""
    first = faults[0]
    place = f"line {first['line']}" if "line" in first else f"index {first['index']}"
    words = [str(first[key]) for key in ("field", "value", "detail") if key in first]
    count = f"; {len(faults)} faults in all" if len(faults) > 1 else ""
    if not are_all:
        count = f"; the first {len(faults)} faults are listed"
    return f"nothing was stored: {place}: {' '.join(words)}{count}"


def detail_of(field: str, given: object) -> str | None:
    """Return which rule of a reading's field a value breaks, or None."""
    return _RULES[field](given)


def shown(sent: bytes) -> str:
    """Return what was sent, shortened to be shown."""
    return _shortened(_beginning(sent))


def _type_fault(given: object) -> str | None:
    return label_fault(given) if isinstance(given, str) else "must be a string"


def _sensor_id_fault(given: object) -> str | None:
    if isinstance(given, str):
        return label_fault(given)
    if type(given) is int and 0 <= given <= MAX_SENSOR_ID:
        return None
    return f"must be an integer from 0 to {MAX_SENSOR_ID}, or a string"


def _value_fault(given: object) -> str | None:
    if isinstance(given, exact.TooSmall):
        return "is not 0, but too small for a 64-bit float"
    if type(given) in (int, float) and is_finite(cast("float", given)):
        return None
    return "must be a finite number"


def _ts_fault(given: object) -> str | None:
    if not isinstance(given, str):
        return "must be a string in RFC 3339 form"
    try:
        checked_ns(given)
    except ValueError as error:
        return str(error)
    return None


_RULES: dict[str, Callable[[object], str | None]] = {
    "type": _type_fault,
    "value": _value_fault,
    "sensor_id": _sensor_id_fault,
    "ts": _ts_fault,
}


def _beginning(sent: bytes) -> str:
    """Return more of a long value than is shown; a character may be cut at its end."""
    return sent[: (_MAX_SHOWN + 1) * _MAX_CHARACTER_BYTES].decode(errors="ignore")


def _shortened(text: str) -> str:
    return text if len(text) <= _MAX_SHOWN else text[:_MAX_SHOWN] + "…"
