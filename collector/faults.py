"""The slow, thorough reading of a refused body: every fault, by index and field."""

import json
from itertools import islice
from typing import Any

from telemetry import timestamp
from telemetry.reading import MAX_SENSOR_ID, check_value, label_fault

MAX_FAULTS = 100
_REQUIRED = ("type", "value", "sensor_id")
_MAX_SHOWN = 100

Fault = dict[str, object]


def faults(body: bytes, *, lines: bool) -> list[Fault]:
    """Return the first 100 faults of the readings in a JSON or (`lines`) NDJSON body.

    Raises ValueError or RecursionError when the body is not JSON at all.
    """
    if lines:
        decoded: Any = [json.loads(line) for line in body.splitlines() if line.strip()]
    else:
        decoded = json.loads(body)
    readings = decoded if isinstance(decoded, list) else [decoded]
    found = (fault for index, item in enumerate(readings) for fault in _of_one(index, item))
    return list(islice(found, MAX_FAULTS))


def _of_one(index: int, item: Any) -> list[Fault]:
    if not isinstance(item, dict):
        return [_fault(index, None, item, "a reading is a JSON object")]
    found = [_fault(index, field, None, "is required") for field in _REQUIRED if field not in item]
    for field, given in item.items():
        if (detail := _detail(field, given)) is not None:
            found.append(_fault(index, field, given, detail))
    return found


def _detail(field: str, given: Any) -> str | None:
    match field:
        case "type":
            return label_fault(given) if isinstance(given, str) else "must be a string"
        case "sensor_id" if isinstance(given, str):
            return label_fault(given)
        case "sensor_id":
            if type(given) is int and 0 <= given <= MAX_SENSOR_ID:
                return None
            return f"must be an integer from 0 to {MAX_SENSOR_ID}, or a string"
        case "value" if type(given) in (int, float):
            return _refusal(check_value, given)
        case "value":
            return "must be a finite number"
        case "ts" if isinstance(given, str):
            return _refusal(timestamp.parse, given)
        case "ts":
            return "must be a string in RFC 3339 form"
        case _:
            return "is not a field of a reading"


def _refusal(rule: Any, given: Any) -> str | None:
    try:
        rule(given)
    except ValueError as error:
        return str(error)
    return None


def _fault(index: int, field: str | None, given: Any, detail: str) -> Fault:
    shown = json.dumps(given, ensure_ascii=False)
    if len(shown) > _MAX_SHOWN:
        shown = shown[:_MAX_SHOWN] + "…"
    fault: Fault = {"index": index, "detail": detail}
    if field is not None:
        fault["field"] = field
    if given is not None:
        fault["value"] = shown
    return fault
