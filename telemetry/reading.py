"""What a reading is: its fields and their rules, and its series."""

import sys
from functools import lru_cache

import msgspec
from msgspec import UNSET, UnsetType

MAX_LABEL = 64
MAX_SENSOR_ID = 2**63 - 1
MAX_VALUE = sys.float_info.max
FORBIDDEN = "/+#"
"""In labels: they separate and match the levels of an MQTT topic."""


class Reading(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """One measurement. Encoded with its `ts` in UTC, it has the form in which it is kept.

    Decoding checks only the types. `series`, `check_value` and `timestamp.parse` check the rest.
    """

    ts: str | UnsetType = UNSET
    type: str
    value: int | float
    sensor_id: int | str


# Labels are checked and joined once for all readings of a series.
@lru_cache(maxsize=65536)
def series(sensor_id: int | str, type_: str) -> str:
    """Return the name of a series, `<sensor_id>/<type>`: the end of its topics.

    Raises ValueError naming the field that breaks its rule.
    """
    if isinstance(sensor_id, int):
        if not 0 <= sensor_id <= MAX_SENSOR_ID:
            raise ValueError(f"sensor_id must be an integer from 0 to {MAX_SENSOR_ID}, or a string")
    elif fault := label_fault(sensor_id):
        raise ValueError(f"sensor_id {fault}")
    if fault := label_fault(type_):
        raise ValueError(f"type {fault}")
    return f"{sensor_id}/{type_}"


def label_fault(label: str) -> str | None:
    """Return why `label` cannot be a level of a topic and a tag, or None if it can."""
    if not 1 <= len(label) <= MAX_LABEL:
        return f"must have 1 to {MAX_LABEL} characters"
    if not label.isprintable() or any(character in label for character in FORBIDDEN):
        return "must be printable characters without / + #"
    if label[0] == "$":
        return "must not begin with $"
    if label[-1] == "\\":
        return "must not end with a backslash, which InfluxDB cannot hold there"
    return None


def is_finite(value: float) -> bool:
    """Return whether `value`, a float or an int of any size, is a finite IEEE 754 double."""
    return -MAX_VALUE <= value <= MAX_VALUE


def check_value(value: float) -> None:
    """Raise ValueError when `value` is not finite."""
    if not is_finite(value):
        raise ValueError("value must be a finite number")


class RepeatedMember(ValueError):
    """A member that occurs more than once in a JSON object; `name` is its name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"the member {name[:MAX_LABEL]!r} occurs more than once in an object")
        self.name = name


def unique_members(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """Return a JSON object with these members; raises RepeatedMember (json's object_pairs_hook)."""
    members = dict(pairs)
    if len(members) < len(pairs):
        seen = set()
        for name, _ in pairs:
            if name in seen:
                raise RepeatedMember(name)
            seen.add(name)
    return members
