"""Finds every fault of invalid readings, by index and field, where the decoder stops at one."""

import json
from collections import Counter
from collections.abc import Callable
from itertools import islice
from typing import cast

import msgspec

from telemetry import timestamp
from telemetry.reading import MAX_SENSOR_ID, Reading, is_finite, label_fault

MAX_FAULTS = 100
_REQUIRED = [field.name for field in msgspec.structs.fields(Reading) if field.required]
_MAX_SHOWN = 100
_MAX_DIGITS = 400

Fault = dict[str, object]


def faults(body: bytes, *, lines: bool) -> list[Fault]:
    """Return the first 100 faults of the readings in a JSON or (`lines`) NDJSON body.

    Raises ValueError or RecursionError when the body is not JSON.
    """
    decoded = [_json(line) for line in body.splitlines() if line.strip()] if lines else _json(body)
    readings = decoded if isinstance(decoded, list) else [decoded]
    found = (fault for index, item in enumerate(readings) for fault in _of_one(index, item))
    return list(islice(found, MAX_FAULTS))


class _Object(dict[str, object]):
    """A JSON object, and the names that occur in it more than once."""

    def __init__(self, pairs: list[tuple[str, object]]) -> None:
        super().__init__(pairs)
        names = Counter(name for name, _ in pairs)
        self.repeated = [name for name, count in names.items() if count > 1]


def _json(text: bytes) -> object:
    return json.loads(text, object_pairs_hook=_Object, parse_int=_integer)


def _integer(digits: str) -> float:
    # Python refuses to parse thousands of digits; as a float they are infinite, and so a fault.
    return int(digits) if len(digits) < _MAX_DIGITS else float(digits)


def _of_one(index: int, item: object) -> list[Fault]:
    if not isinstance(item, _Object):
        return [_fault(index, None, item, "a reading is a JSON object")]
    found = [_fault(index, field, None, "is required") for field in _REQUIRED if field not in item]
    for field, given in item.items():
        rule = _RULES.get(field)
        detail = rule(given) if rule else "is not a field of a reading"
        if detail is not None:
            found.append(_fault(index, field, given, detail))
    found += [_fault(index, name, item[name], "is given more than once") for name in item.repeated]
    return found


def _type_fault(given: object) -> str | None:
    return label_fault(given) if isinstance(given, str) else "must be a string"


def _sensor_id_fault(given: object) -> str | None:
    if isinstance(given, str):
        return label_fault(given)
    if type(given) is int and 0 <= given <= MAX_SENSOR_ID:
        return None
    return f"must be an integer from 0 to {MAX_SENSOR_ID}, or a string"


def _value_fault(given: object) -> str | None:
    if type(given) in (int, float) and is_finite(cast("float", given)):
        return None
    return "must be a finite number"


def _ts_fault(given: object) -> str | None:
    if not isinstance(given, str):
        return "must be a string in RFC 3339 form"
    try:
        timestamp.parse(given)
    except ValueError as error:
        return str(error)
    return None


_RULES: dict[str, Callable[[object], str | None]] = {
    "type": _type_fault,
    "value": _value_fault,
    "sensor_id": _sensor_id_fault,
    "ts": _ts_fault,
}


def _fault(index: int, field: str | None, given: object, detail: str) -> Fault:
    shown = _encodable(json.dumps(given, ensure_ascii=False))
    if len(shown) > _MAX_SHOWN:
        shown = shown[:_MAX_SHOWN] + "…"
    fault: Fault = {"index": index, "detail": detail}
    if field is not None:
        fault["field"] = _encodable(field)
    if given is not None:
        fault["value"] = shown
    return fault


def _encodable(text: str) -> str:
    """Return `text` with ? for lone surrogates, which JSON can spell and UTF-8 cannot encode."""
    return text.encode(errors="replace").decode()
