"""Prints accepted readings, a line per second at a high rate; warns of replaced values."""

import asyncio
import contextlib
import logging
import sys
import time
from collections.abc import Sequence

import msgspec

from collector.outbox.row import Row
from collector.outbox.superseded import Superseded

logger = logging.getLogger(__name__)

# A second with more readings than this is summed up.
LINES_PER_SECOND = 10
WARNINGS_PER_MINUTE = 3

_fields = msgspec.json.Decoder(dict[str, str | int | float])


class Journal:
    """Writes accepted readings to standard output: what `docker logs -f collector` shows."""

    def __init__(self) -> None:
        self._shown = 0
        self._hidden = 0
        self._warned = 0  # in the minute that began at `_minute`
        self._unwarned = 0
        self._minute = -60.0

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

    def on_superseded(self, replaced: Sequence[Superseded]) -> None:
        """Warn of the first few in a minute, and count the others for the next one."""
        if time.monotonic() - self._minute >= 60:  # noqa: PLR2004
            self._minute, self._warned = time.monotonic(), 0
        shown = replaced[: WARNINGS_PER_MINUTE - self._warned]
        for one in shown:
            more = (
                f" (and at least {self._unwarned} more since the last warning)"
                if self._unwarned
                else ""
            )
            logger.warning("%s, accepted earlier for the same series and time%s", one, more)
            self._unwarned = 0
        self._warned += len(shown)
        self._unwarned += len(replaced) - len(shown)

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
