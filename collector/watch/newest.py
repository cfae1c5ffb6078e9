"""The newest reading of each series, and how many arrive."""

import time
from collections import Counter, OrderedDict, deque
from collections.abc import Callable
from itertools import islice
from typing import NamedTuple

from telemetry.decode import Unreadable
from telemetry.mqtt import Message
from telemetry.published import WithoutId, decode

MAX_SERIES = 10_000
RATE_PERIODS = 10
_S = 1_000_000_000


class _Newest(NamedTuple):
    sensor_id: str
    type: str
    value: float
    ns: int
    order: int


class Row(NamedTuple):
    """A series; `age_s` is the age of its newest reading, `rate` is per second."""

    sensor_id: str
    type: str
    value: float
    age_s: float
    rate: float


class NewestReadings:
    """Takes messages of readings/#; knows at most MAX_SERIES series, those that changed last."""

    def __init__(self, now_ns: Callable[[], int] = time.time_ns) -> None:
        self.unreadable = 0
        self._now_ns = now_ns
        self._newest: OrderedDict[str, _Newest] = OrderedDict()  # by series, by last change
        self._periods: deque[tuple[int, Counter[str]]] = deque(maxlen=RATE_PERIODS)
        self.begin_period()

    def __len__(self) -> int:
        return len(self._newest)

    def take(self, message: Message) -> None:
        """Count a message; keep its reading if it is the newest of its series.

        Names are printable: no escape sequence of a terminal gets through.
        """
        if not message.payload:  # clears a retained message
            return
        try:
            series, value, ns, _ = decode(message.topic, message.payload)
        except WithoutId:  # a device's: a collector publishes it again
            return
        except Unreadable:
            self.unreadable += 1
            return
        # As at the collector: a timestamp ahead counts as the present, or it would stay for long.
        order = min(ns, self._now_ns())
        if not message.retain:
            self._periods[-1][1][series] += 1
        known = self._newest.get(series)
        if known is None and len(self._newest) == MAX_SERIES:
            self._newest.popitem(last=False)
        if known is None or order >= known.order:
            sensor_id, type_ = series.split("/")
            self._newest[series] = _Newest(sensor_id, type_, value, ns, order)
        self._newest.move_to_end(series)

    def begin_period(self) -> None:
        """Begin to count anew; rates are over the last RATE_PERIODS periods."""
        self._periods.append((self._now_ns(), Counter()))

    def rows(self, limit: int) -> list[Row]:
        """Return the `limit` series that changed last, sorted by sensor and type."""
        now = self._now_ns()
        seconds = max(1.0, (now - self._periods[0][0]) / _S)
        rows = [
            Row(
                newest.sensor_id,
                newest.type,
                newest.value,
                (now - newest.ns) / _S,
                sum(counts[series] for _, counts in self._periods) / seconds,
            )
            for series, newest in islice(reversed(self._newest.items()), max(0, limit))
        ]
        return sorted(rows, key=_by_sensor)


def _by_sensor(row: Row) -> tuple[bool, int, str, str]:
    """Sort numbers by value, before all other names."""
    is_number = row.sensor_id.isdecimal() and row.sensor_id.isascii()
    return not is_number, int(row.sensor_id) if is_number else 0, row.sensor_id, row.type
