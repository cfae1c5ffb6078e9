"""Simulated readings and the schedule they are taken on. A reading is a JSON string."""

import json
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import count, cycle
from random import Random

from device.patterns import PATTERNS

SECOND_NS = 10**9
SHORTEST_WAIT_S = 0.001


class SimulatedSeries:
    """Generates the readings of one sensor and type.

    `decimals` is the precision of its timestamps: 0, 3, 6 or 9 decimals of a second.
    """

    def __init__(
        self, sensor_id: int, type_: str, value: Callable[[int], float], decimals: int
    ) -> None:
        self.sensor_id = sensor_id
        self.type = type_
        self._value = value
        self._decimals = decimals
        self._step = 10 ** (9 - decimals)
        self._last = -self._step

    def read(self, time_ns: int) -> str:
        """Return the reading at `time_ns` (UTC, in ns) as JSON.

        Timestamps always increase, even when the clock is set back: InfluxDB would keep only one
        of two readings of a series with the same timestamp.
        """
        self._last = max(time_ns // self._step * self._step, self._last + self._step)
        reading = {
            "ts": timestamp(self._last, self._decimals),
            "type": self.type,
            "value": self._value(self._last),
            "sensor_id": self.sensor_id,
        }
        return json.dumps(reading, ensure_ascii=False, separators=(",", ":"))


def timestamp(time_ns: int, decimals: int) -> str:
    """Format `time_ns` (UTC, in ns) as RFC 3339, truncated to `decimals`."""
    seconds, nanoseconds = divmod(time_ns, SECOND_NS)
    text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
    return f"{text}.{nanoseconds:09d}"[: len(text) + 1 + decimals if decimals else len(text)] + "Z"


def decimals_for(period: float) -> int:
    """Return the fewest decimals that distinguish timestamps `period` seconds apart."""
    return next(decimals for decimals in (0, 3, 6, 9) if decimals == 9 or 10**-decimals <= period)  # noqa: PLR2004


def create_series(
    sensor_ids: Sequence[int], types: Sequence[str], pattern: str, seed: int | None, rate: float
) -> list[SimulatedSeries]:
    """Create a series for each sensor and type; together they have `rate` readings per second.

    With a seed, the values of a series do not depend on which other series there are.
    """
    decimals = decimals_for(len(sensor_ids) * len(types) / rate)
    return [
        SimulatedSeries(
            sensor_id, type_, PATTERNS[pattern](_random(seed, sensor_id, type_)), decimals
        )
        for sensor_id in sensor_ids
        for type_ in types
    ]


def _random(seed: int | None, sensor_id: int, type_: str) -> Random:
    return Random(None if seed is None else f"{seed}/{sensor_id}/{type_}")  # noqa: S311


def schedule(
    rate: float,
    total: int | None,
    stopped: Callable[[float], bool],
    *,
    monotonic_ns: Callable[[], int] = time.monotonic_ns,
    wall_ns: Callable[[], int] = time.time_ns,
) -> Iterator[int]:
    """Yield the time (UTC, in ns) of each reading when that time has come.

    Ends after `total` readings, or when `stopped(seconds)`, which waits at most that long, returns
    True. The times are evenly spaced from the start, so delays do not add up. When the wall clock
    is set by a second or more, later times follow it.
    """
    start = monotonic_ns()
    offset = wall_ns() - start
    for index in count() if total is None else range(total):
        due = start + round(index * SECOND_NS / rate)
        remaining = (due - monotonic_ns()) / SECOND_NS
        # At high rates, one wait of the shortest length serves several readings.
        if stopped(max(remaining, SHORTEST_WAIT_S) if remaining > 0 else 0):
            return
        if abs(wall_ns() - monotonic_ns() - offset) >= SECOND_NS:
            offset = wall_ns() - monotonic_ns()
        yield due + offset


def readings(series: Sequence[SimulatedSeries], times: Iterator[int]) -> Iterator[str]:
    """Read the series in turn, one at each of `times`."""
    for time_ns, one in zip(times, cycle(series), strict=False):
        yield one.read(time_ns)
