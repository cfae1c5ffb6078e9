"""Why a message on devices/# is not taken, in words for people: the slow way."""

from collections.abc import Callable, Iterator
from itertools import islice
from typing import NamedTuple

import msgspec

from collector.devices.refusal import Refusal
from collector.intake import exact
from collector.intake.explanation import MAX_FAULTS
from collector.intake.faults import Fault, detail_of, shown
from collector.intake.not_json import reason
from telemetry.reading import RepeatedMember, label_fault

MAX_REF = 100
"""Bytes of a `ref` as JSON."""

LONG_REF = f"must be a string or an integer of at most {MAX_REF} bytes as JSON"
READINGS = "must be an array of readings"
_UNKNOWN = "is not a member of such a message"
_ONE_VALUE = 'expected a number such as 21.5, or {"value": 21.5, "ts": "2026-01-31T12:00:00Z"}'
_MANY_VALUES = (
    'expected numbers by type, such as {"temp": 21.5, "humidity": 40}, or an array of readings'
)

_any = msgspec.json.Decoder(msgspec.Raw)
_raw = msgspec.json.Decoder(dict[str, msgspec.Raw])


class Address(NamedTuple):
    """What a topic says: the sensor, its level, and the type, None where the payload names it."""

    sensor_id: int | str
    level: str
    type: str | None


def explanation(address: Address, payload: bytes, ref: bytes | None, error: Exception) -> Refusal:
    """Return the refusal of a message whose decoding raised `error`."""
    expected = _MANY_VALUES if address.type is None else _ONE_VALUE
    try:
        sent = exact.loads(payload)
        _any.decode(payload)  # which knows no NaN
    except (RepeatedMember, exact.TooManyDigits) as lost:
        return Refusal(f"{lost}; {expected}", address.level, ref)
    except (ValueError, RecursionError) as not_json:
        why = f"the payload is not JSON: {reason(payload, not_json)}"
        return Refusal(f"{why}; {expected}", address.level, ref)
    faults = list(islice(_faults(address, sent, payload), MAX_FAULTS))
    if not faults:
        return Refusal(f"{error}; {expected}", address.level, ref)
    words = " ".join(str(text) for text in faults[0].values())
    more = f"; {len(faults)} faults in all" if len(faults) > 1 else ""
    return Refusal(f"{words}{more}; {expected}", address.level, ref, faults)


def _faults(address: Address, sent: object, payload: bytes) -> Iterator[Fault]:
    if isinstance(sent, dict):
        yield from _member_faults(address, sent, payload)
    elif address.type is not None:
        yield _fault("value", payload, detail_of("value", sent))
    else:
        detail = "holds no reading" if sent == [] else "is not an object or an array"
        yield _fault("payload", payload, detail)


def _member_faults(address: Address, sent: dict[str, object], payload: bytes) -> Iterator[Fault]:
    raw = _raw.decode(payload)
    rule: Callable[[Address, str, object], str | None] = _of_several
    if address.type is not None:
        if "value" not in sent:
            yield {"field": "value", "detail": "is required"}
        rule = _of_one
    elif isinstance(sent.get("readings"), list):
        rule = _of_batch
    elif not sent.keys() - {"ts", "ref"}:
        yield _fault("payload", payload, "holds no number")
    for name, given in sent.items():
        if (detail := rule(address, name, given)) is not None:
            yield _fault(name, bytes(raw[name]), detail)


def _of_one(address: Address, name: str, given: object) -> str | None:
    if name in ("value", "ts"):
        return detail_of(name, given)
    own = {"type": address.type, "sensor_id": address.level}
    if name in own:
        return None if str(given) == own[name] else f"must be the topic's, {own[name]}, or left out"
    return _ref_fault(given) if name == "ref" else _UNKNOWN


def _of_several(_: Address, name: str, given: object) -> str | None:
    if name == "ts":
        return detail_of(name, given)
    if name == "readings":
        return READINGS
    return _ref_fault(given) if name == "ref" else label_fault(name) or detail_of("value", given)


def _of_batch(_: Address, name: str, given: object) -> str | None:
    if name == "readings":
        return None
    return _ref_fault(given) if name == "ref" else _UNKNOWN


def _ref_fault(given: object) -> str | None:
    is_valid = type(given) in (str, int) and len(msgspec.json.encode(given)) <= MAX_REF
    return None if is_valid else LONG_REF


def _fault(field: str, sent: bytes, detail: str | None) -> Fault:
    return {"field": shown(field.encode()), "value": shown(sent), "detail": detail}
