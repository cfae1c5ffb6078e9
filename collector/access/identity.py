"""The sender of a reading, and the sensors it may send readings of."""

import fnmatch
import re
from collections.abc import Iterable, Sequence
from functools import cached_property

from telemetry.reading import Reading

ANY = "*"
"""In a pattern of sensor ids: any characters, and any number of them."""


class SensorForbidden(Exception):
    """A reading of a sensor that its sender may not send readings of."""

    def __init__(self, name: str, sensor_id: str) -> None:
        super().__init__(f"sensor_id {sensor_id!r} is not one of {name}'s")
        self.sensor_id = sensor_id


class Identity:
    """A sender and the patterns of its sensors; `name` is empty for one that did not say it.

    A `reader` may read what consumers read.
    """

    def __init__(self, name: str, sensors: Sequence[str], *, reader: bool = False) -> None:
        self.name = name
        self.sensors = sensors
        self.reader = reader
        self._is_unrestricted = ANY in sensors

    @cached_property  # all identities are made anew when one changes, and few of them send then
    def _allowed(self) -> re.Pattern[str]:
        # Of a shell's patterns only the star, which fnmatch translates so that it is never slow.
        stars = (pattern.replace("[", "[[]").replace("?", "[?]") for pattern in self.sensors)
        return re.compile("|".join(map(fnmatch.translate, stars)) or r"(?!)")

    def may_send(self, sensor_id: str) -> bool:
        """Return whether this sender may send readings of a sensor."""
        return self._is_unrestricted or self._allowed.fullmatch(sensor_id) is not None

    def check(self, readings: Iterable[Reading]) -> None:
        """Raise SensorForbidden for the first reading that this sender may not send."""
        if self._is_unrestricted:
            return
        for reading in readings:
            if not self.may_send(sensor_id := str(reading.sensor_id)):
                raise SensorForbidden(self.name, sensor_id)


ANYONE = Identity("", [ANY])
