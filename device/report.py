"""What the device tells: the readings and their answers, what went wrong, the sum of it all."""

import sys
import time
from threading import Lock
from typing import TYPE_CHECKING

from tqdm import tqdm

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from device.answers import Answer
    from device.buffer import Buffer

EACH_UP_TO_RATE = 10  # readings a second


class Report:
    """Counts, and prints: readings to stdout, faults to stderr, a bar where one can be seen.

    Used by both threads; `taken` and `overflowed` by the one, the rest by the other.
    """

    def __init__(
        self,
        buffer: "Buffer",
        rate: float,
        total: int | None,
        *,
        now: "Callable[[], float]" = time.monotonic,
    ) -> None:
        self.total = total
        self.number_taken = 0
        self.number_acknowledged = 0
        self.number_refused = 0
        self.number_overflowed = 0
        self._buffer = buffer
        self._each = rate <= EACH_UP_TO_RATE
        self._now = now
        self._start = self._summed_up = now()
        self._overflow: list[str] = []  # first and last dropped, not yet told
        self._overflow_told = (self._start - 1, 0)
        self._lock = Lock()
        # None: only on a terminal
        self._bar = tqdm(total=total, unit="reading", disable=True if total is None else None)

    def taken(self) -> None:
        """Count a reading taken."""
        self.number_taken += 1

    def overflowed(self, reading: str) -> None:
        """Tell of a reading dropped for want of room; a line a second at most."""
        self.number_overflowed += 1
        self._overflow = [*self._overflow[:1], reading]
        if self._now() - self._overflow_told[0] >= 1:
            self._tell_overflow()

    def acknowledged(self, readings: "Sequence[str]", answer: "Answer") -> None:
        """Tell of readings that the collector has: each, or at high rates a line a second."""
        self.number_acknowledged += len(readings)
        self._bar.update(len(readings))
        if self._each:
            self._print(*readings[:-1], f"{readings[-1]} -> {answer}")
        elif self._bar.disable and self._now() - self._summed_up >= 1:
            self._summed_up = self._now()
            self._print(self._sum())

    def kept(self, readings: "Sequence[str]", answer: "Answer", wait: float | None) -> None:
        """Tell of readings that were not taken and will be sent again, in `wait` seconds."""
        then = "giving up" if wait is None else f"trying again in {wait:.1f} s"
        self._complain(
            f"not sent: {_several(readings)}: {answer}: {len(self._buffer)} buffered, {then}"
        )

    def halved(self, readings: "Sequence[str]", answer: "Answer") -> None:
        """Tell of a batch that was refused, and is sent in smaller parts."""
        self._complain(f"refused: {_several(readings)}: {answer}: trying half as many")

    def refused(self, readings: "Sequence[str]", answer: "Answer") -> None:
        """Tell of readings dropped because the collector will never take them."""
        self.number_refused += len(readings)
        self._complain(f"dropped: {_several(readings)}: {answer}")

    def finish(self) -> bool:
        """Print the summary. True when all that was asked for, if a number was, arrived."""
        if self._overflow:
            self._tell_overflow()
        self._bar.close()
        self._print(self._sum())
        return self.total is None or self.number_acknowledged == self.total

    def _sum(self) -> str:
        seconds = self._now() - self._start
        taken = f"{self.number_taken} readings in {seconds:.1f} s"
        return (
            f"{taken}: {self.number_acknowledged} acknowledged, {len(self._buffer)} buffered, "
            f"{self.number_refused} refused, {self.number_overflowed} dropped from a full buffer"
        )

    def _tell_overflow(self) -> None:
        number = self.number_overflowed - self._overflow_told[1]
        readings = _between(number, self._overflow)
        self._complain(f"dropped: {readings}: the buffer ({self._buffer.capacity}) is full")
        self._overflow_told = (self._now(), self.number_overflowed)
        self._overflow = []

    def _print(self, *lines: str) -> None:
        with self._lock:
            tqdm.write("\n".join(lines), file=sys.stdout)
            sys.stdout.flush()

    def _complain(self, line: str) -> None:
        with self._lock:
            tqdm.write(line, file=sys.stderr)


def _several(readings: "Sequence[str]") -> str:
    return _between(len(readings), [readings[0], readings[-1]])


def _between(number: int, ends: "Sequence[str]") -> str:
    return ends[0] if number == 1 else f"{number} readings, {ends[0]} to {ends[-1]}"
