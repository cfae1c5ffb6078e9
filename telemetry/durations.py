"""How long things take, counted so cheaply that it may be done for each request."""

import time
from bisect import bisect_left
from collections import deque
from collections.abc import Sequence

QUICK_S = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0)
SLOW_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0)
"""Bounds of histograms: for what stays within this process and its disk, and what does not."""


class Histogram:
    """How many durations there were up to each of some bounds (s), and their sum (s)."""

    __slots__ = ("bounds", "counts", "sum")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = tuple(bounds)
        self.counts = [0] * (len(bounds) + 1)  # the last is beyond all bounds
        self.sum = 0.0

    def observe(self, seconds: float) -> None:
        self.counts[bisect_left(self.bounds, seconds)] += 1
        self.sum += seconds


class Longest:
    """The longest of the durations noted in the last `window_s` seconds."""

    def __init__(self, window_s: float) -> None:
        self._window_s = window_s
        self._noted: deque[tuple[float, float]] = deque()  # when and how long, the longest first

    @property
    def milliseconds(self) -> int:
        """The longest; 0 if there was none."""
        self._expire()
        return round(self._noted[0][1] * 1000) if self._noted else 0

    def note(self, seconds: float) -> None:
        self._expire()
        while self._noted and self._noted[-1][1] <= seconds:
            self._noted.pop()
        self._noted.append((time.monotonic(), seconds))

    def _expire(self) -> None:
        since = time.monotonic() - self._window_s
        while self._noted and self._noted[0][0] < since:
            self._noted.popleft()
