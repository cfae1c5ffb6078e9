"""What devices posted and how each post ended: the record that the pipeline is checked against."""

from array import array
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import IntEnum

ORDINAL_BITS = 20
"""The low bits of a reading's timestamp are its ordinal in its series. So a point is found without
a search, no timestamp occurs twice however the clock steps, and an error of 1 ns is detected."""
SERIES_LIMIT = 1 << ORDINAL_BITS

SensorId = int | str
Key = tuple[str, str]
"""A series as InfluxDB names it: the tags `sensor_id` and `type`."""


class PostOutcome(IntEnum):
    """How a post of a reading ended. A reading posted several times has the highest of them."""

    OPEN = 0  # no response yet
    REFUSED = 1  # a 4xx or 5xx, or nothing was sent
    UNKNOWN = 2  # sent, but no response arrived
    ACKNOWLEDGED = 3


class LedgerFullError(Exception):
    """The ledger is at its capacity: the load must end."""


@dataclass
class Series:
    """The readings of one sensor and type, by ordinal: 17 bytes each."""

    sensor_id: SensorId
    type: str
    times: "array[int]" = field(default_factory=lambda: array("q"))
    values: "array[float]" = field(default_factory=lambda: array("d"))
    outcomes: bytearray = field(default_factory=bytearray)

    @property
    def key(self) -> Key:
        return (str(self.sensor_id), self.type)

    def add(self, clock_ns: int, value: float) -> "Reading":
        """Enter a reading; its timestamp differs from `clock_ns` by up to 1 ms."""
        ordinal = len(self.times)
        if ordinal >= SERIES_LIMIT:
            raise LedgerFullError(self.key)
        self.times.append(clock_ns >> ORDINAL_BITS << ORDINAL_BITS | ordinal)
        self.values.append(value)
        self.outcomes.append(PostOutcome.OPEN)
        return Reading(self, ordinal)

    def find(self, time_ns: int) -> int | None:
        """Return the ordinal of the reading with exactly this timestamp, if there is one."""
        ordinal = time_ns % SERIES_LIMIT
        if ordinal < len(self.times) and self.times[ordinal] == time_ns:
            return ordinal
        return None


@dataclass(frozen=True)
class Reading:
    series: Series
    ordinal: int

    @property
    def time_ns(self) -> int:
        return self.series.times[self.ordinal]

    @property
    def value(self) -> float:
        return self.series.values[self.ordinal]

    @property
    def outcome(self) -> PostOutcome:
        return PostOutcome(self.series.outcomes[self.ordinal])


class Ledger:
    """All readings attempted. Not thread-safe while the load runs."""

    def __init__(self, capacity: int = 5_000_000) -> None:
        self.capacity = capacity
        self.readings = 0
        self.series: dict[Key, Series] = {}
        self.posts: Counter[PostOutcome] = Counter()
        """Outcomes of all posts; a reading posted twice counts twice."""
        self.posts_by_mqtt: Counter[PostOutcome] = Counter()
        """Those of them that were published by MQTT."""
        self.life = 0
        """How often the outbox was replaced by an earlier copy."""
        self.rejected: set[Key] = set()
        """Series whose readings InfluxDB must reject."""
        self.ignored: set[Key] = set()
        """Series in InfluxDB that do not come from this ledger."""

    def series_of(self, sensor_id: SensorId, type_: str) -> Series:
        series = Series(sensor_id, type_)
        return self.series.setdefault(series.key, series)

    def attempt(self, series: Series, clock_ns: int, value: float) -> Reading:
        """Enter a reading before it is sent. LedgerFullError at the capacity."""
        if self.readings >= self.capacity:
            raise LedgerFullError(self.capacity)
        self.readings += 1
        return series.add(clock_ns, value)

    def record(
        self, readings: list[Reading], outcome: PostOutcome, *, by_mqtt: bool = False
    ) -> None:
        """Record the outcome of one post of these readings."""
        self.posts[outcome] += len(readings)
        if by_mqtt:
            self.posts_by_mqtt[outcome] += len(readings)
        for reading in readings:
            outcomes = reading.series.outcomes
            outcomes[reading.ordinal] = max(outcomes[reading.ordinal], outcome)

    def excuse(self, reading: Reading) -> None:
        """Expect nothing more of an acknowledged reading: it may be stored or not."""
        reading.series.outcomes[reading.ordinal] = PostOutcome.UNKNOWN

    def excuse_posts(self, count: int) -> None:
        """Take this many acknowledged posts for posts without a response."""
        self.posts[PostOutcome.ACKNOWLEDGED] -= count
        self.posts[PostOutcome.UNKNOWN] += count

    def count(self) -> Counter[PostOutcome]:
        """Return the number of readings with each outcome."""
        return Counter(
            {
                outcome: sum(series.outcomes.count(outcome) for series in self.series.values())
                for outcome in PostOutcome
            }
        )

    def __iter__(self) -> Iterator[Reading]:
        for series in self.series.values():
            for ordinal in range(len(series.times)):
                yield Reading(series, ordinal)
