"""Finds every fault of an invalid reading, by field, where the decoder stops at one."""

import json
from collections.abc import Callable, Iterator
from typing import cast

import msgspec

from collector.intake.draft import checked_ns
from collector.intake.exact import TooSmall
from telemetry.reading import MAX_SENSOR_ID, Reading, is_finite, label_fault

_REQUIRED = [field.name for field in msgspec.structs.fields(Reading) if field.required]
_MAX_SHOWN = 100

Fault = dict[str, object]


def faults_of(index: int, item: object) -> Iterator[Fault]:
    """Yield the faults of a decoded item of a request; none if it is a valid reading."""
    if not isinstance(item, dict):
        yield fault(index, None, item, "a reading is a JSON object")
        return
    for field in _REQUIRED:
        if field not in item:
            yield fault(index, field, None, "is required")
    for field, given in item.items():
        rule = _RULES.get(field)
        detail = rule(given) if rule else "is not a field of a reading"
        if detail is not None:
            yield fault(index, field, given, detail)


def fault(index: int, field: str | None, given: object, detail: str) -> Fault:
    """Return an entry of the list of faults; what was given is shown shortened, as JSON."""
    described: Fault = {"index": index, "detail": _encodable(detail)}
    if field is not None:
        described["field"] = _shortened(field)
    if given is not None:
        described["value"] = _shortened(_json(given))
    return described


def _type_fault(given: object) -> str | None:
    return label_fault(given) if isinstance(given, str) else "must be a string"


def _sensor_id_fault(given: object) -> str | None:
    if isinstance(given, str):
        return label_fault(given)
    if type(given) is int and 0 <= given <= MAX_SENSOR_ID:
        return None
    return f"must be an integer from 0 to {MAX_SENSOR_ID}, or a string"


def _value_fault(given: object) -> str | None:
    if isinstance(given, TooSmall):
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


def _json(given: object) -> str:
    return given.text if isinstance(given, TooSmall) else json.dumps(given, ensure_ascii=False)


def _shortened(text: str) -> str:
    shown = text if len(text) <= _MAX_SHOWN else text[:_MAX_SHOWN] + "…"
    return _encodable(shown)


def _encodable(text: str) -> str:
    """Return `text` with ? for lone surrogates, which JSON can spell and UTF-8 cannot encode."""
    return text.encode(errors="replace").decode()
