"""What the device prints: readings with their responses, faults, and totals."""

import sys
import time
from collections.abc import Callable, Sequence
from threading import Lock

from device.buffer import Buffer
from device.progress import Progress
from device.responses import Response

MAX_RATE_PRINTED = 10  # readings per second
FAULT_INTERVAL_S = 10.0


class Report:
    """Counts and prints: readings and totals to stdout, faults to stderr.

    With a `total`, a progress bar is drawn where there can be one; with `quiet`, only faults and
    the summary are printed. The main thread calls `generated`, `overflowed` and `finish`; the
    sender's thread calls the other methods.
    """

    def __init__(
        self,
        buffer: Buffer,
        rate: float,
        total: int | None,
        *,
        quiet: bool = False,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.total = total
        self.number_generated = 0
        self.number_accepted = 0
        self.number_refused = 0
        self.number_overflowed = 0
        self._buffer = buffer
        self._quiet = quiet
        self._print_each = rate <= MAX_RATE_PRINTED
        self._now = now
        self._start = self._totals_printed = now()
        self._overflow: list[str] = []  # the first and last dropped reading not yet reported
        self._overflow_reported = (self._start - 1, 0)  # time, number_overflowed
        self._fault = ""  # the last one printed
        self._fault_printed = 0.0
        self._faulty_since: float | None = None
        self._lock = Lock()
        self._progress = Progress(None if quiet else total)

    def generated(self) -> None:
        self.number_generated += 1

    def overflowed(self, reading: str) -> None:
        """Report a reading dropped because the buffer is full, with at most one line per second."""
        self.number_overflowed += 1
        self._overflow = [*self._overflow[:1], reading]
        if self._now() - self._overflow_reported[0] >= 1:
            self._report_overflow()

    def accepted(self, readings: Sequence[str], response: Response) -> None:
        """Report accepted readings: each one, or at high rates the totals once per second."""
        if self._faulty_since is not None:
            self._print_fault(f"accepted again after {self._now() - self._faulty_since:.1f} s")
            self._fault, self._faulty_since = "", None
        self.number_accepted += len(readings)
        self._progress.update(len(readings))
        if self._quiet:
            return
        if self._print_each:
            self._print(*readings[:-1], f"{readings[-1]} -> {response}")
        elif not self._progress.is_drawn and self._now() - self._totals_printed >= 1:
            self._totals_printed = self._now()
            self._print(self._totals())

    def kept(self, response: Response, wait: float | None) -> None:
        """Report that readings were not accepted and will be retried in `wait` seconds.

        `wait` is None if they will not be retried. The same fault is printed every 10 s at most.
        """
        now = self._now()
        if self._faulty_since is None:
            self._faulty_since = now
        is_known = response.brief == self._fault and now - self._fault_printed < FAULT_INTERVAL_S
        if is_known and wait is not None:
            return
        self._fault, self._fault_printed = response.brief, now
        then = "giving up" if wait is None else f"retrying in {wait:.1f} s"
        self._print_fault(f"not accepted: {response.brief}; {len(self._buffer)} buffered, {then}")

    def halved(self, readings: Sequence[str], response: Response) -> None:
        """Report a batch that was refused and will be retried in smaller parts."""
        self._print_fault(
            f"refused: {_describe(readings)}: {response}: retrying with half as many readings"
        )

    def refused(self, readings: Sequence[str], response: Response) -> None:
        """Report readings dropped because the collector will never accept them."""
        self.number_refused += len(readings)
        self._print_fault(f"dropped: {_describe(readings)}: {response}")

    def finish(self) -> bool:
        """Print the summary. Return whether all `total` readings, if given, were accepted."""
        if self._overflow:
            self._report_overflow()
        self._progress.close()
        self._print(self._totals())
        return self.total is None or self.number_accepted == self.total

    def _totals(self) -> str:
        seconds = self._now() - self._start
        generated = f"{self.number_generated} readings in {seconds:.1f} s"
        return (
            f"{generated}: {self.number_accepted} accepted, {len(self._buffer)} buffered, "
            f"{self.number_refused} refused, {self.number_overflowed} dropped from a full buffer"
        )

    def _report_overflow(self) -> None:
        number = self.number_overflowed - self._overflow_reported[1]
        readings = _describe_range(number, self._overflow)
        self._print_fault(f"dropped: {readings}: buffer full ({self._buffer.capacity} readings)")
        self._overflow_reported = (self._now(), self.number_overflowed)
        self._overflow = []

    def _print(self, *lines: str) -> None:
        with self._lock:
            self._progress.write("\n".join(lines), file=sys.stdout)
            sys.stdout.flush()

    def _print_fault(self, line: str) -> None:
        with self._lock:
            self._progress.write(line, file=sys.stderr)


def _describe(readings: Sequence[str]) -> str:
    return _describe_range(len(readings), [readings[0], readings[-1]])


def _describe_range(number: int, ends: Sequence[str]) -> str:
    return ends[0] if number == 1 else f"{number} readings, {ends[0]} to {ends[-1]}"
