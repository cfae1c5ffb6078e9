"""Readings: when one is due, and what it says. A reading is its JSON text, made once."""

import json
import time
from itertools import count, cycle
from random import Random
from typing import TYPE_CHECKING

from device.patterns import PATTERNS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

SECOND_NS = 10**9
SHORTEST_WAIT_S = 0.001


class Series:
    """One type of one sensor. `decimals` of the seconds in its timestamps: 0, 3, 6 or 9."""

    def __init__(
        self, sensor_id: int, type_: str, value: "Callable[[int], float]", decimals: int
    ) -> None:
        self.sensor_id = sensor_id
        self.type = type_
        self._value = value
        self._decimals = decimals
        self._step = 10 ** (9 - decimals)
        self._last = -self._step

    def read(self, moment: int) -> str:
        """Give the reading of `moment` (UTC, ns) as JSON.

        Its timestamp is above the one before, also when the clock was set back: two readings of
        a series with the same timestamp would be one point in the database.
        """
        self._last = max(moment // self._step * self._step, self._last + self._step)
        reading = {
            "ts": timestamp(self._last, self._decimals),
            "type": self.type,
            "value": self._value(self._last),
            "sensor_id": self.sensor_id,
        }
        return json.dumps(reading, ensure_ascii=False, separators=(",", ":"))


def timestamp(moment: int, decimals: int) -> str:
    """Write `moment` (UTC, ns) as RFC 3339 with that many decimals."""
    seconds, nanoseconds = divmod(moment, SECOND_NS)
    text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
    return f"{text}.{nanoseconds:09d}"[: len(text) + 1 + decimals if decimals else len(text)] + "Z"


def decimals_for(period: float) -> int:
    """Give the fewest decimals that keep readings `period` seconds apart apart in writing."""
    return next(decimals for decimals in (0, 3, 6, 9) if decimals == 9 or 10**-decimals <= period)  # noqa: PLR2004


def all_series(
    sensor_ids: "Sequence[int]", types: "Sequence[str]", pattern: str, seed: int | None, rate: float
) -> list[Series]:
    """Make the series, which share `rate` readings a second.

    With a seed, each has a random generator of its own: its values do not depend on the others.
    """
    decimals = decimals_for(len(sensor_ids) * len(types) / rate)
    return [
        Series(sensor_id, type_, PATTERNS[pattern](_random(seed, sensor_id, type_)), decimals)
        for sensor_id in sensor_ids
        for type_ in types
    ]


def _random(seed: int | None, sensor_id: int, type_: str) -> Random:
    return Random(None if seed is None else f"{seed}/{sensor_id}/{type_}")  # noqa: S311


def moments(
    rate: float,
    total: int | None,
    stopped: "Callable[[float], bool]",
    *,
    monotonic_ns: "Callable[[], int]" = time.monotonic_ns,
    wall_ns: "Callable[[], int]" = time.time_ns,
) -> "Iterator[int]":
    """Give each moment (UTC, ns) at which a reading is due, when it has come.

    Ends after `total`, or when `stopped`, which waits that many seconds at most, says so. Each
    is reckoned from the start, so that lateness never adds up, and they are evenly apart; when the
    clock is set by a second or more, they follow it.
    """
    start = monotonic_ns()
    offset = wall_ns() - start
    for index in count() if total is None else range(total):
        due = start + round(index * SECOND_NS / rate)
        early = (due - monotonic_ns()) / SECOND_NS
        # At high rates one wait serves several readings.
        if stopped(max(early, SHORTEST_WAIT_S) if early > 0 else 0):
            return
        if abs(wall_ns() - monotonic_ns() - offset) >= SECOND_NS:
            offset = wall_ns() - monotonic_ns()  # the clock was set
        yield due + offset


def readings(series: "Sequence[Series]", due: "Iterator[int]") -> "Iterator[str]":
    """Read the series in turn, one at each moment that is due."""
    for moment, one in zip(due, cycle(series), strict=False):
        yield one.read(moment)
