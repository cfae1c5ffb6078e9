"""What a reading is: its rules, its series, its form on MQTT and in InfluxDB."""

import sys
from functools import lru_cache
from typing import NamedTuple

import msgspec
from msgspec import UNSET, UnsetType

MEASUREMENT = "data"
MAX_LABEL = 64
MAX_SENSOR_ID = 2**63 - 1
MAX_VALUE = sys.float_info.max
_FORBIDDEN = "/+#"  # they separate and match the levels of an MQTT topic
_TAG_ESCAPES = str.maketrans({",": "\\,", "=": "\\=", " ": "\\ "})


class Reading(msgspec.Struct, forbid_unknown_fields=True):
    """A reading as it is posted: types are checked here, values by `series` and `check_value`."""

    type: str
    value: int | float
    sensor_id: int | str
    ts: str | UnsetType = UNSET


class Message(msgspec.Struct, forbid_unknown_fields=True):
    """A reading on MQTT: `id` is the collector's; `sensor_id`, `type` may be left to the topic."""

    value: int | float
    id: str | UnsetType = UNSET
    ts: str | UnsetType = UNSET
    type: str | UnsetType = UNSET
    sensor_id: int | str | UnsetType = UNSET


class Series(NamedTuple):
    """The readings of one sensor and type."""

    topic: str  # the levels below readings/, such as 123/temp
    tags: str  # the head of a line of InfluxDB's line protocol: measurement and tags


# A label is checked, joined and escaped once for all the readings of its series.
@lru_cache(maxsize=65536)
def series(sensor_id: int | str, type_: str) -> Series:
    """Return the series of a reading; raises ValueError naming the field that breaks its rule."""
    if isinstance(sensor_id, int):
        if not 0 <= sensor_id <= MAX_SENSOR_ID:
            raise ValueError(f"sensor_id must be an integer from 0 to {MAX_SENSOR_ID}, or a string")
    elif fault := label_fault(sensor_id):
        raise ValueError(f"sensor_id {fault}")
    if fault := label_fault(type_):
        raise ValueError(f"type {fault}")
    sensor = str(sensor_id)
    return Series(f"{sensor}/{type_}", f"{MEASUREMENT},sensor_id={tag(sensor)},type={tag(type_)}")


def label_fault(label: str) -> str | None:
    """Return what makes `label` unfit to be a topic level and a tag, or None."""
    if not 1 <= len(label) <= MAX_LABEL:
        return f"must have 1 to {MAX_LABEL} characters"
    if not label.isprintable() or any(character in label for character in _FORBIDDEN):
        return "must be printable characters without / + #"
    if label[0] == "$":
        return "must not begin with $"
    if label[-1] == "\\":
        return "must not end with a backslash, which InfluxDB cannot hold there"
    return None


def tag(label: str) -> str:
    """Return `label` as a tag's value in InfluxDB's line protocol."""
    return label.translate(_TAG_ESCAPES)


def is_finite(value: float) -> bool:
    """Return whether `value` is a finite IEEE 754 double, an int of any size included."""
    return -MAX_VALUE <= value <= MAX_VALUE


def check_value(value: float) -> None:
    """Raise ValueError when `value` is not finite."""
    if not is_finite(value):
        raise ValueError("value must be a finite number")


def line(tags: str, value: float, ns: int) -> str:
    """Return one line of InfluxDB's line protocol; without a suffix a number is a float."""
    return f"{tags} value={value!r} {ns}"
