"""What a client attempted and what it was told: the one record that the pipeline cannot touch."""

from array import array
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import IntEnum

ORDINAL_BITS = 20
"""A reading's ordinal in its series is the low bits of its timestamp: found again without a search,
never twice in a series however the clock steps, and gone when one nanosecond is."""
SERIES_LIMIT = 1 << ORDINAL_BITS

SensorId = int | str
Key = tuple[str, str]
"""A series as InfluxDB names it: the tags `sensor_id` and `type`."""


class Verdict(IntEnum):
    """What the client knows of a reading. Of several posts of it the highest holds."""

    OPEN = 0  # no answer yet
    REFUSED = 1  # a definite no, or it never left
    UNKNOWN = 2  # cut off before the answer
    ACKNOWLEDGED = 3


class LedgerFullError(Exception):
    """The ledger holds as many readings as it may: the load must end."""


@dataclass
class Series:
    """The readings of one sensor and type, by ordinal: 17 bytes each."""

    sensor_id: SensorId
    type: str
    times: "array[int]" = field(default_factory=lambda: array("q"))
    values: "array[float]" = field(default_factory=lambda: array("d"))
    verdicts: bytearray = field(default_factory=bytearray)

    @property
    def key(self) -> Key:
        """The tags in InfluxDB."""
        return (str(self.sensor_id), self.type)

    def add(self, clock_ns: int, value: float) -> "Reading":
        """Take note of a reading of about this time (to 1 ms)."""
        ordinal = len(self.times)
        if ordinal >= SERIES_LIMIT:
            raise LedgerFullError(self.key)
        self.times.append(clock_ns >> ORDINAL_BITS << ORDINAL_BITS | ordinal)
        self.values.append(value)
        self.verdicts.append(Verdict.OPEN)
        return Reading(self, ordinal)

    def find(self, time_ns: int) -> int | None:
        """Return the ordinal of the reading at exactly this time, if one was attempted."""
        ordinal = time_ns % SERIES_LIMIT
        if ordinal < len(self.times) and self.times[ordinal] == time_ns:
            return ordinal
        return None


@dataclass(frozen=True)
class Reading:
    """One attempted reading: one point in InfluxDB."""

    series: Series
    ordinal: int

    @property
    def time_ns(self) -> int:
        """Nanoseconds since 1970."""
        return self.series.times[self.ordinal]

    @property
    def value(self) -> float:
        """The value as sent."""
        return self.series.values[self.ordinal]

    @property
    def verdict(self) -> Verdict:
        """What is known of it."""
        return Verdict(self.series.verdicts[self.ordinal])


class Ledger:
    """All readings attempted. Used from one thread while the load runs."""

    def __init__(self, capacity: int = 5_000_000) -> None:
        """Hold up to `capacity` readings."""
        self.capacity = capacity
        self.readings = 0
        self.series: dict[Key, Series] = {}
        self.posts: Counter[Verdict] = Counter()
        """Readings by the answer they got, a reading posted twice counting twice."""
        self.poison: set[Key] = set()
        """Series that InfluxDB was made to refuse for good."""
        self.foreign: set[Key] = set()
        """Series that a test wrote into InfluxDB itself."""

    def series_of(self, sensor_id: SensorId, kind: str) -> Series:
        """Return the series, a new one when it is not known yet."""
        series = Series(sensor_id, kind)
        return self.series.setdefault(series.key, series)

    def attempt(self, series: Series, clock_ns: int, value: float) -> Reading:
        """Take note of a reading before it is sent; LedgerFullError when there is no room."""
        if self.readings >= self.capacity:
            raise LedgerFullError(self.capacity)
        self.readings += 1
        return series.add(clock_ns, value)

    def settle(self, readings: list[Reading], verdict: Verdict) -> None:
        """Note the answer to one post of these readings."""
        self.posts[verdict] += len(readings)
        for reading in readings:
            verdicts = reading.series.verdicts
            verdicts[reading.ordinal] = max(verdicts[reading.ordinal], verdict)

    def count(self) -> Counter[Verdict]:
        """Return how many readings have which verdict."""
        return Counter(
            {
                verdict: sum(series.verdicts.count(verdict) for series in self.series.values())
                for verdict in Verdict
            }
        )

    def __iter__(self) -> Iterator[Reading]:
        for series in self.series.values():
            for ordinal in range(len(series.times)):
                yield Reading(series, ordinal)
