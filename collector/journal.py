"""Prints accepted readings: each one at a low rate, a line per second at a high rate."""

import asyncio
import contextlib
import sys
from collections.abc import Sequence

import msgspec

from collector.outbox.row import Row

# A second with more readings than this is summed up.
LINES_PER_SECOND = 10

_fields = msgspec.json.Decoder(dict[str, str | int | float])


class Journal:
    """Writes accepted readings to standard output: what `docker logs -f collector` shows."""

    def __init__(self) -> None:
        self._shown = 0
        self._hidden = 0

    def on_committed(self, readings: Sequence[Row]) -> None:
        """Print these readings, or only count them when this second has shown enough."""
        if self._shown + len(readings) > LINES_PER_SECOND:
            self._hidden += len(readings)
            return
        self._shown += len(readings)
        for reading in readings:
            fields = _fields.decode(reading.payload)
            del fields["id"]
            _print(" ".join(f"{name}={text}" for name, text in fields.items()))

    async def run(self) -> None:
        """Sum up once per second, for ever."""
        while True:
            await asyncio.sleep(1)
            self.tick()

    def tick(self) -> None:
        """Sum up what was not shown, and begin a new second."""
        if self._hidden:
            _print(f"accepted {self._shown + self._hidden} readings in a second")
        self._shown = self._hidden = 0


def _print(line: str) -> None:
    # A log on a full disk, a closed pipe or an encoding without these letters: readings go on.
    with contextlib.suppress(OSError, ValueError):
        sys.stdout.write(line + "\n")
        sys.stdout.flush()
