"""What device families publish over MQTT, as rules: from a topic and a payload to readings."""

from collector.formats.formats import Formats
from collector.formats.rule import Extract

__all__ = ["Extract", "Formats"]
