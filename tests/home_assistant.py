"""Home Assistant as a consumer: what it documents of an announced sensor, and what it makes of one.

From its public documentation: "MQTT" (discovery messages), "MQTT Sensor" and "Sensor" (device
classes). `home_assistant.json` has the units and state classes of each device class that is a
number; null is no unit.
"""

import json
import re
from pathlib import Path
from typing import Any

import jinja2
import jsonschema

from tests.builders import Json

CLASSES: dict[str, dict[str, list[str | None]]] = json.loads(
    Path(__file__).with_suffix(".json").read_text(encoding="utf-8")
)
# <discovery_prefix>/<component>/[<node_id>/]<object_id>/config
TOPIC = re.compile(r"(?P<prefix>.+)/sensor/([a-zA-Z0-9_-]+/)?[a-zA-Z0-9_-]+/config")

_TEXT = {"type": "string", "minLength": 1}
_TOPIC = {"type": "string", "pattern": r"^[^+#\x00-\x1f]+$"}
_TEXTS = {"anyOf": [_TEXT, {"type": "array", "items": _TEXT, "minItems": 1}]}
SCHEMA = {
    "type": "object",
    "additionalProperties": False,  # it would be ignored
    "required": ["state_topic", "unique_id", "device", "origin"],
    "properties": {
        "name": _TEXT,
        "unique_id": _TEXT,
        "state_topic": _TOPIC,
        "value_template": _TEXT,
        "unit_of_measurement": _TEXT,
        "device_class": {"enum": list(CLASSES)},
        "state_class": {"enum": ["measurement", "measurement_angle", "total", "total_increasing"]},
        "availability_topic": _TOPIC,
        "availability_template": _TEXT,
        "payload_available": _TEXT,
        "payload_not_available": _TEXT,
        "device": {
            "type": "object",
            "additionalProperties": False,
            "required": ["identifiers"],
            "properties": {"identifiers": _TEXTS, "name": _TEXT},
        },
        "origin": {
            "type": "object",
            "additionalProperties": False,
            "required": ["name"],
            "properties": {"name": _TEXT, "sw_version": _TEXT},
        },
    },
}


_validator = jsonschema.Draft202012Validator(SCHEMA)


class Sensor:
    """A sensor as Home Assistant makes it from an announcement."""

    def __init__(self, topic: str, config: Json) -> None:
        """Check the announcement; raises AssertionError, or jsonschema's ValidationError."""
        assert TOPIC.fullmatch(topic), topic
        _validator.validate(config)
        check_class(
            config.get("device_class"),
            config.get("unit_of_measurement"),
            config.get("state_class"),
        )
        self.config = config

    def value(self, payload: Any) -> str:  # noqa: ANN401  any JSON
        """Return the state that a message on the state topic leads to."""
        return _render(self.config["value_template"], payload)

    def is_available(self, payload: Any) -> bool:  # noqa: ANN401
        """Return what a message on the availability topic says; AssertionError for neither."""
        state = _render(self.config["availability_template"], payload)
        assert state in {self.config["payload_available"], self.config["payload_not_available"]}
        return bool(state == self.config["payload_available"])


def check_class(device_class: str | None, unit: str | None, state_class: str | None) -> None:
    """Raise AssertionError unless the three go together."""
    if device_class is None:
        assert unit is None, "not an error, but none of ours"
        return
    allowed = CLASSES[device_class]
    # Either character is taken for micro: as here, the sign is replaced by the letter.
    assert (unit and unit.replace("\u00b5", "\u03bc")) in allowed["units"], (device_class, unit)
    assert state_class in allowed["state_classes"], (device_class, state_class)


def _render(template: str, payload: object) -> str:
    rendered: str = jinja2.Template(template).render(value_json=payload)
    return rendered
