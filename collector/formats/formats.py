"""The formats that a collector takes: from a message to readings."""

from typing import Self
from zoneinfo import ZoneInfo

from collector.access.broker import Terms
from collector.formats.catalog import DEVICES, STATESTREAM, chosen, compiled, families, own_rules
from collector.formats.pattern import without_covered
from collector.formats.rule import Extract, Rule
from collector.settings import Settings
from telemetry.mqtt import LARGEST_PACKET
from telemetry.settings import SettingError


class Formats:
    """The rules that are chosen; `takes_devices` says whether devices/# is among them."""

    def __init__(self, rules: list[Rule], *, takes_devices: bool) -> None:
        self._rules = rules
        self.takes_devices = takes_devices

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Read all settings that concern formats; raises SettingError."""
        if settings.home_assistant_prefix and STATESTREAM in chosen(settings.formats):
            raise SettingError(
                "FORMATS",
                settings.formats,
                f"with HOME_ASSISTANT_PREFIX, Home Assistant would send back by {STATESTREAM} what"
                " it is shown, in circles; expected one of the two",
            )
        return cls.load(settings.formats, settings.formats_file, settings.time_zone)

    @classmethod
    def load(cls, names: str, own_file: str, time_zone: str) -> Self:
        """Read the settings FORMATS, FORMATS_FILE and TIME_ZONE; raises SettingError."""
        taken = chosen(names)
        zone = _zone(time_zone)
        rules = own_rules(own_file, zone)  # before the families, so that they can replace them
        for name, family in families().items():
            if name in taken:
                rules += compiled(family, zone)
        return cls(rules, takes_devices=DEVICES in taken)

    @property
    def topics(self) -> list[str]:
        """The patterns of all rules."""
        return [rule.pattern.text for rule in self._rules]

    @property
    def subscriptions(self) -> list[str]:
        """MQTT filters for the messages of all rules, without devices/#.

        Two overlap only where both have a level that may be anything.
        """
        return without_covered([rule.pattern.filter for rule in self._rules])

    def terms(self, settings: Settings) -> Terms:
        """Return what the broker's rules depend on beside the identities."""
        return Terms(settings.opened, self.subscriptions, settings.home_assistant_prefix)

    def read(self, topic: str, payload: bytes) -> Extract:
        """Return the readings of a message by the first rule whose topic it has; else none.

        Whatever is raised means that the message is broken; a ValueError says what was expected.
        """
        for rule in self._rules:
            names = rule.pattern.match(topic)
            if names is not None:
                if len(payload) > LARGEST_PACKET:
                    raise ValueError(
                        f"expected at most {LARGEST_PACKET} bytes, found {len(payload)}"
                    )
                return rule.read(names, payload)
        return Extract([], 0)

    def takes(self, topic: str) -> bool:
        """Return whether a rule has this topic."""
        return any(rule.pattern.match(topic) is not None for rule in self._rules)


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        expected = "expected the name of a time zone such as UTC or Europe/Berlin"
        raise SettingError("TIME_ZONE", name, expected) from None
