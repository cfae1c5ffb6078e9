"""Messages on devices/# to readings: a number, numbers by type, or an array of readings."""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import NamedTuple

import msgspec
from msgspec import UNSET, UnsetType

from collector.devices.explanation import LONG_REF, MAX_REF, READINGS, Address, explanation
from collector.devices.refusal import Refusal
from collector.intake import exact
from collector.intake.draft import draft
from collector.intake.errors import InvalidReadings
from collector.intake.items import is_array
from collector.intake.readings import accept
from collector.outbox.row import Draft
from telemetry.mqtt import LARGEST_PACKET
from telemetry.reading import MAX_SENSOR_ID, Reading, label_fault

_TINY = (b"e-", b"E-", b"0" * 300)  # one of them is in a value that underflows
_BACKSLASH = ord("\\")  # a number is found ten times as fast as bytes
_TOPIC = "the topic is not devices/<sensor_id>/<type> or devices/<sensor_id>"

Ref = str | int | UnsetType


class _Value(msgspec.Struct, forbid_unknown_fields=True):
    value: int | float
    ts: str | UnsetType = UNSET
    ref: Ref = UNSET
    type: str | UnsetType = UNSET
    sensor_id: int | str | UnsetType = UNSET


class _Batch(msgspec.Struct, forbid_unknown_fields=True):
    readings: msgspec.Raw
    ref: Ref = UNSET


class _Ref(msgspec.Struct):
    ref: Ref = UNSET


class Taken(NamedTuple):
    """Valid readings, the level of the topic that an answer goes to, and the `ref` as JSON."""

    drafts: Sequence[Draft]
    sensor: str = ""
    ref: bytes | None = None


_value = msgspec.json.Decoder(int | float | _Value)
_values = msgspec.json.Decoder(dict[str, int | float | str])
_batch = msgspec.json.Decoder(_Batch)
_ref = msgspec.json.Decoder(_Ref)
_members = msgspec.json.Decoder(dict[str, msgspec.Raw])
_encode = msgspec.json.Encoder().encode


def read(topic: str, payload: bytes) -> Taken:
    """Return the readings of a message; raises Refusal with everything that is wrong."""
    address = _address(topic)
    if len(payload) > LARGEST_PACKET:
        why = f"expected at most {LARGEST_PACKET} bytes, found {len(payload)}"
        raise Refusal(why, address.level, _ref_of(payload))
    try:
        if address.type is not None:
            return _one(address, address.type, payload)
        if is_array(payload):
            return _array(address, payload, UNSET)
        may_be = b'"readings"' in payload or _BACKSLASH in payload
        if may_be and "readings" in _members.decode(payload):
            return _batched(address, payload)
        return _several(address, payload)
    except InvalidReadings as invalid:
        raise Refusal(str(invalid), address.level, _ref_of(payload), invalid.faults) from None
    except (ValueError, RecursionError) as error:
        raise explanation(address, payload, _ref_of(payload), error) from None


# A topic is parsed and checked once for all its messages.
@lru_cache(maxsize=65536)
def _address(topic: str) -> Address:
    levels = topic.split("/")[1:]
    if not 1 <= len(levels) <= 2:  # noqa: PLR2004  sensor_id, type
        raise Refusal(_TOPIC)
    for name, level in zip(("sensor_id", "type"), levels, strict=False):
        if fault := label_fault(level):
            raise Refusal(f"{_TOPIC}: {name} {fault}")
    return Address(_sensor_id(levels[0]), levels[0], levels[1] if levels[1:] else None)


def _sensor_id(level: str) -> int | str:
    """Return a number where a device would send one by HTTP: it is the same series."""
    is_number = level.isdecimal() and level.isascii() and (level[0] != "0" or level == "0")
    return int(level) if is_number and int(level) <= MAX_SENSOR_ID else level


def _one(address: Address, type_: str, payload: bytes) -> Taken:
    sent = _value.decode(payload)
    if isinstance(sent, _Value):
        _check_exact(payload, _quotes(sent), (sent.value,))
        if sent.type is not UNSET or sent.sensor_id is not UNSET:
            _check_agreement(sent, address)
    else:
        _check_exact(payload, 0, (sent,))
        sent = _Value(sent)
    reading = Reading(ts=sent.ts, type=type_, value=sent.value, sensor_id=address.sensor_id)
    return Taken((draft(reading),), address.level, _checked(sent.ref))


def _quotes(sent: _Value) -> int:
    """Return how many quotation marks a message has that no member is repeated in."""
    texts = (sent.ts is not UNSET) + (sent.type is not UNSET)
    ref = 0 if sent.ref is UNSET else 2 + 2 * isinstance(sent.ref, str)
    sensor_id = 0 if sent.sensor_id is UNSET else 2 + 2 * isinstance(sent.sensor_id, str)
    return 2 + 4 * texts + ref + sensor_id


def _check_agreement(sent: _Value, address: Address) -> None:
    if sent.type not in (UNSET, address.type):
        raise ValueError(f"type must be the topic's, {address.type}, or left out")
    if sent.sensor_id is not UNSET and str(sent.sensor_id) != address.level:
        raise ValueError(f"sensor_id must be the topic's, {address.level}, or left out")


def _several(address: Address, payload: bytes) -> Taken:
    sent = _values.decode(payload)
    texts = {name: text for name, text in sent.items() if isinstance(text, str)}
    numbers = {name: number for name, number in sent.items() if not isinstance(number, str)}
    _check_exact(payload, 2 * (len(sent) + len(texts)), numbers.values())
    ts = texts.pop("ts", UNSET)
    ref = texts.pop("ref", UNSET) if "ref" in texts else numbers.pop("ref", UNSET)
    if texts or not numbers or "ts" in numbers or isinstance(ref, float):
        raise ValueError("is not what was expected")  # what of it, the explanation finds
    drafts = [
        draft(Reading(ts=ts, type=type_, value=value, sensor_id=address.sensor_id))
        for type_, value in numbers.items()
    ]
    return Taken(drafts, address.level, _checked(ref))


def _batched(address: Address, payload: bytes) -> Taken:
    batch = _batch.decode(payload)
    readings = bytes(batch.readings)
    quotes = 2 if batch.ref is UNSET else 4 + 2 * isinstance(batch.ref, str)
    if not is_array(readings):
        raise ValueError(READINGS)
    if payload.count(b'"') - readings.count(b'"') != quotes or b"\\" in payload:
        exact.loads(payload)
    return _array(address, readings, batch.ref)


def _array(address: Address, content: bytes, ref: Ref) -> Taken:
    _, drafts, _ = accept(content, lines=False)
    return Taken(drafts, address.level, _checked(ref))


def _check_exact(payload: bytes, quotes: int, values: Iterable[float]) -> None:
    """Raise ValueError where decoding has lost something: a member twice, a value too small.

    `quotes` is how many quotation marks there are if it has not. Only otherwise the payload is
    decoded again, which takes long.
    """
    is_whole = payload.count(b'"') == quotes and _BACKSLASH not in payload
    if is_whole and (all(values) or not any(part in payload for part in _TINY)):
        return
    sent = exact.loads(payload)
    for value in sent.values() if isinstance(sent, dict) else (sent,):
        if isinstance(value, exact.TooSmall):
            raise ValueError("too small for a 64-bit float")  # noqa: TRY004


def _checked(ref: Ref) -> bytes | None:
    """Return a `ref` as JSON; raises ValueError when it is too long."""
    if ref is UNSET:
        return None
    encoded = _encode(ref)
    if len(encoded) > MAX_REF:
        raise ValueError(LONG_REF)
    return encoded


def _ref_of(payload: bytes) -> bytes | None:
    """Return the `ref` of a message that is refused, if it has a valid one."""
    try:
        return _checked(_ref.decode(payload).ref)
    except (ValueError, RecursionError):
        return None
