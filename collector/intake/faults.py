"""Finds every fault of an invalid reading, by field, where the decoder stops at one."""

from collections.abc import Iterator, Mapping

import msgspec

from collector.intake import exact
from collector.intake.draft import checked_ns
from collector.intake.items import Item
from telemetry.faults import RULES, Rule, shortened, ts_fault, value_fault
from telemetry.reading import Reading

_REQUIRED = [field.name for field in msgspec.structs.fields(Reading) if field.required]

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
        described["field"] = shortened(field)
    if sent is not None:
        described["value"] = shortened(sent)
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


def _value_fault(given: object) -> str | None:
    if isinstance(given, exact.TooSmall):
        return "is not 0, but too small for a 64-bit float"
    return value_fault(given)


_RULES: Mapping[str, Rule] = {
    **RULES,
    "value": _value_fault,
    "ts": lambda given: ts_fault(given, checked_ns),
}
