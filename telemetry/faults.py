"""What is wrong with a reading, field by field, in words for people."""

from collections.abc import Callable, Iterable, Mapping
from typing import cast

import msgspec

from telemetry import timestamp
from telemetry.not_json import reason
from telemetry.reading import MAX_SENSOR_ID, is_finite, label_fault

_MAX_SHOWN = 100
_MAX_CHARACTER_BYTES = 4

Rule = Callable[[object], str | None]
"""Returns why a decoded value of a field is wrong, or None."""

_any = msgspec.json.Decoder(msgspec.Raw)
_members = msgspec.json.Decoder(dict[str, msgspec.Raw])


def type_fault(given: object) -> str | None:
    """Return why this is no `type`, or None if it is one."""
    return label_fault(given) if isinstance(given, str) else "must be a string"


def sensor_id_fault(given: object) -> str | None:
    """Return why this is no `sensor_id`, or None if it is one."""
    if isinstance(given, str):
        return label_fault(given)
    if type(given) is int and 0 <= given <= MAX_SENSOR_ID:
        return None
    return f"must be an integer from 0 to {MAX_SENSOR_ID}, or a string"


def value_fault(given: object) -> str | None:
    """Return why this is no `value`, or None if it is one."""
    if type(given) in (int, float) and is_finite(cast("float", given)):
        return None
    return "must be a finite number"


def ts_fault(given: object, parse: Callable[[str], int] = timestamp.parse) -> str | None:
    """Return why this is no `ts`, or None if it is one; `parse` may have further rules."""
    if not isinstance(given, str):
        return "must be a string in RFC 3339 form"
    try:
        parse(given)
    except ValueError as error:
        return str(error)
    return None


RULES: Mapping[str, Rule] = {
    "type": type_fault,
    "value": value_fault,
    "sensor_id": sensor_id_fault,
    "ts": ts_fault,
}


def shortened(sent: bytes | str) -> str:
    """Return at most 100 characters of something sent, and an ellipsis for the rest."""
    if isinstance(sent, bytes):  # a character may be cut at the end of what is decoded
        sent = sent[: (_MAX_SHOWN + 1) * _MAX_CHARACTER_BYTES].decode(errors="ignore")
    return sent if len(sent) <= _MAX_SHOWN else sent[:_MAX_SHOWN] + "…"


def words(
    payload: bytes,
    error: Exception,
    required: Iterable[str],
    rules: Mapping[str, Rule],
    example: str,
) -> str:
    """Return why `payload`, for which decoding raised `error`, is no reading, and an example.

    The decoder's own words are for programmers: they are given only where the payload has no fault.
    """
    fault = _fault(payload, required, rules)
    return f"{fault}; expected {example}" if fault else str(error)


def _fault(payload: bytes, required: Iterable[str], rules: Mapping[str, Rule]) -> str | None:
    """Return the first fault of a payload."""
    try:
        payload.decode()
        _any.decode(payload)
    except (ValueError, RecursionError) as error:
        return f"not JSON: {reason(payload, error)}"
    try:
        members = _members.decode(payload)
    except msgspec.ValidationError:
        return f"{shortened(payload)} must be a JSON object"
    for field in required:
        if field not in members:
            return f"{field} is required"
    for field, sent in members.items():
        rule = rules.get(field)
        fault = rule(_decoded(sent)) if rule else "is not a field of a reading"
        if fault is not None:
            return f"{shortened(field)} {shortened(bytes(sent))} {fault}"
    return None


def _decoded(sent: msgspec.Raw) -> object:
    """Return a member's value; None, which no field may be, for a number beyond any range."""
    try:
        return cast("object", msgspec.json.decode(sent))
    except ValueError:
        return None
