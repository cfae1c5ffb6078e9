"""Formats of device families (to come)."""

from typing import NamedTuple

from telemetry.reading import Reading


class Extract(NamedTuple):
    """Readings of a message."""

    readings: list[Reading]
    skipped: int


class Formats:
    """The chosen formats."""

    takes_devices = True
    subscriptions: list[str] = []  # noqa: RUF012

    def read(self, topic: str, payload: bytes) -> Extract:  # noqa: ARG002
        """Return the readings of a family's message."""
        return Extract([], 0)
