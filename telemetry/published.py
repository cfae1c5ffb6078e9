"""A reading as collectors publish it, on readings/ and replay/: the one decoder of it."""

import json
from functools import lru_cache

import msgspec
from msgspec import UNSET, UnsetType

from telemetry import timestamp, topics
from telemetry.decode import Unreadable
from telemetry.faults import RULES, words
from telemetry.origin import FORM, Origin
from telemetry.reading import check_value, series, unique_members

DEVICES_EXAMPLE = '{"value": 21.5} on devices/<sensor_id>/<type>'
_EXAMPLE = (
    '{"id":"ab4b6b3e5cfd.0d5f1c2a:41","ts":"2026-01-31T12:00:00Z",'
    '"type":"temp","value":21.5,"sensor_id":7}'
)


class WithoutId(Unreadable):
    """A JSON object that no collector has published, as it has no `id`."""


class _Reading(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    id: str
    ts: str
    type: str
    value: int | float
    sensor_id: int | str


class _Identified(msgspec.Struct):
    id: msgspec.Raw | UnsetType = UNSET


_reading = msgspec.json.Decoder(_Reading)
_identified = msgspec.json.Decoder(_Identified)


def decode(topic: str, payload: bytes) -> tuple[str, float, int, Origin]:
    """Return the series, the value, the time (ns since 1970) and the origin of a reading.

    Raises Unreadable, or WithoutId, if the message breaks the contract of its topic.
    """
    try:
        reading = _reading.decode(payload)
        # All members are there, and the text of a sensor's id is the only choice.
        if payload.count(b'"') != (18 if type(reading.sensor_id) is str else 16):
            check_members(payload)
        name = series_of(topic, reading.sensor_id, reading.type)
        check_value(reading.value)
        ns = timestamp.parse(reading.ts)
        return name, reading.value, ns, Origin.parse(reading.id)
    except Exception as error:  # noqa: BLE001  see telemetry.decode.boundary
        raise _unreadable(payload, error) from None


def series_of(topic: str, sensor_id: int | str, type_: str) -> str:
    """Return the name of the series that a topic names; raises ValueError if a field disagrees."""
    topics_sensor, topics_type, name = _series(topic)
    if str(sensor_id) != topics_sensor:
        raise ValueError(f"sensor_id {sensor_id!r} is not the topic's {topics_sensor!r}")
    if type_ != topics_type:
        raise ValueError(f"type {type_!r} is not the topic's {topics_type!r}")
    return name


def check_members(payload: bytes) -> None:
    """Raise RepeatedMember if an object has a member twice: decoders keep the last in silence."""
    json.loads(payload, object_pairs_hook=unique_members)


# A topic is parsed and checked once for all its messages.
@lru_cache(maxsize=65536)
def _series(topic: str) -> tuple[str, str, str]:
    """Return the sensor_id, the type and the name of a topic's series; raises ValueError."""
    sensor_id, type_ = topics.labels(topic)
    return sensor_id, type_, series(sensor_id, type_)


def _unreadable(payload: bytes, error: Exception) -> Unreadable:
    try:
        identity = _identified.decode(payload).id
    except (ValueError, RecursionError):  # not JSON, or not an object
        return Unreadable(words(payload, error, (), RULES, DEVICES_EXAMPLE))
    kind = WithoutId if identity is UNSET else Unreadable
    return kind(words(payload, error, _RULES, _RULES, _EXAMPLE))


def _id_fault(given: object) -> str | None:
    if not isinstance(given, str):
        return "must be a string"
    try:
        Origin.parse(given)
    except ValueError:
        return f"is not {FORM}"
    return None


_RULES = {"id": _id_fault, **RULES}
