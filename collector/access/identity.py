"""The sender of a request, and the sensors it may send readings for."""

from collections.abc import Iterable

from telemetry.reading import Reading

ANY_SENSOR = "*"


class SensorForbidden(Exception):
    """A reading of a sensor that its sender may not send readings for."""

    def __init__(self, sensor_id: str) -> None:
        super().__init__(f"this token is not for sensor_id {sensor_id!r}")
        self.sensor_id = sensor_id


class Identity:
    """A sender that may send readings of `sensors`; ANY_SENSOR among them stands for all."""

    def __init__(self, sensors: Iterable[str], name: str = "") -> None:
        self.name = name
        """"" is the anonymous."""
        self._sensors = frozenset(sensors)
        self._is_unrestricted = ANY_SENSOR in self._sensors

    def check(self, readings: Iterable[Reading]) -> None:
        """Raise SensorForbidden for the first reading that this sender may not send."""
        if self._is_unrestricted:
            return
        for reading in readings:
            sensor_id = str(reading.sensor_id)
            if sensor_id not in self._sensors:
                raise SensorForbidden(sensor_id)


ANYONE = Identity([ANY_SENSOR])
