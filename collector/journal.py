"""What `docker logs -f collector` shows: each reading at a low rate, a line a second at a high."""

import sys
from collections.abc import Sequence

import msgspec

from collector.outbox import Row

# More readings than this in one second are summed up.
LINES_A_SECOND = 10

_fields = msgspec.json.Decoder(dict[str, str | int | float])


class Journal:
    """Writes accepted readings to standard output."""

    def __init__(self) -> None:
        self._shown = 0
        self._silent = 0

    def accepted(self, readings: Sequence[Row]) -> None:
        """Show these readings, or count them when this second has shown enough."""
        if self._shown + len(readings) > LINES_A_SECOND:
            self._silent += len(readings)
            return
        self._shown += len(readings)
        for reading in readings:
            fields = _fields.decode(reading.payload)
            del fields["id"]
            sys.stdout.write(" ".join(f"{name}={text}" for name, text in fields.items()) + "\n")
        sys.stdout.flush()

    def tick(self) -> None:
        """Once a second: sum up what was not shown."""
        if self._silent:
            sys.stdout.write(f"accepted {self._shown + self._silent} readings in a second\n")
            sys.stdout.flush()
        self._shown = self._silent = 0
