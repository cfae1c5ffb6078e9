"""Hours whose roll-ups are due: a point for each, written together with their readings.

A marker lies in its hour, so in the shard of the readings that it stands for: it is as durable as
they are, and goes with them. `due` is set with each write to the hour, `done` to that `due` when
the hour has been rolled up. A write meanwhile sets another `due`, so none is lost.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from influxdb import InfluxDBClient

HOUR_NS = 3600 * 10**9
# What is stored within this time after its `ts` waits for the end of its hour. Continuous queries
# have seen most of it, but not what came a little late, or ended while InfluxDB was down.
LATE_NS = 600 * 10**9
_MARKER = "rollup_due"
_PAGE = 5000
_ENDLESS_NS = 2**63 - 1


class Hour(NamedTuple):
    """An hour whose roll-ups are due, or will be at `due` (ns)."""

    start: int
    due: int


def lines(times: Sequence[int], now: int) -> list[str]:
    """Return the markers for readings of these times; all are ns."""
    late_before = now - LATE_NS
    due = {hour: (hour + 1) * HOUR_NS + LATE_NS for hour in {ns // HOUR_NS for ns in times}}
    due |= {ns // HOUR_NS: now for ns in times if ns < late_before}
    return [f"{_MARKER} due={at}i {_time(hour * HOUR_NS)}" for hour, at in due.items()]


class Due:
    """The markers in a database; methods raise what InfluxDBClient does."""

    def __init__(self, client: InfluxDBClient, database: str) -> None:
        self._client = client
        self._params = {"db": database}

    def hours(
        self, since: int, until: int = _ENDLESS_NS, *, marked_since: int = 0
    ) -> Iterator[Hour]:
        """Yield the hours in since..until that were not rolled up since they were last written to.

        Those only that were marked at `marked_since` or later; all are ns.
        """
        while True:
            select = (
                f"SELECT due, done FROM {_MARKER}"  # noqa: S608
                f" WHERE time >= {since} AND time < {until} AND due >= {marked_since} LIMIT {_PAGE}"
            )
            page = list(self._client.query(select, epoch="ns").get_points())
            for marker in page:
                if marker["due"] != marker["done"]:
                    yield Hour(marker["time"] + 1 - HOUR_NS, marker["due"])
            if len(page) < _PAGE:
                return
            since = page[-1]["time"] + 1

    def mark(self, starts: Iterable[int], due: int) -> None:
        """Let these hours be due."""
        self._write([f"{_MARKER} due={due}i {_time(start)}" for start in starts])

    def settle(self, hour: Hour) -> None:
        """Note that an hour has been rolled up."""
        self._write([f"{_MARKER} done={hour.due}i {_time(hour.start)}"])

    def _write(self, markers: list[str]) -> None:
        for first in range(0, len(markers), _PAGE):
            self._client.write(markers[first : first + _PAGE], self._params, protocol="line")


def _time(start: int) -> int:
    """Return the end of an hour: where a reading of it is not beyond the retention, nor is this."""
    return start + HOUR_NS - 1
