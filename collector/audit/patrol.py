"""One reading of each series, to be looked at again and again."""

from collections.abc import Iterable

from collector.outbox.row import Row

_MAX_SERIES = 50_000


class Patrol:
    """A verified reading of each series, in the order in which the series are looked at.

    A series waits with a reading that was verified before it was last looked at: one verified since
    may have been stored after InfluxDB has lost the others.
    """

    def __init__(self) -> None:
        self._waiting: dict[str, Row] = {}
        self._latest: dict[str, Row] = {}

    def clear(self) -> None:
        self._waiting.clear()
        self._latest.clear()

    def add(self, rows: Iterable[Row]) -> None:
        """Take over verified rows; a new series waits at the end."""
        for row in rows:
            self._latest[row.series] = row
            self._waiting.setdefault(row.series, row)
        while len(self._waiting) > _MAX_SERIES:
            series = next(iter(self._waiting))
            del self._waiting[series]
            self._latest.pop(series, None)

    def take(self, count: int) -> list[Row]:
        """Return the rows of the first series, which then wait no longer."""
        return [self._waiting.pop(series) for series in list(self._waiting)[:count]]

    def put_back(self, rows: Iterable[Row]) -> None:
        """Let the series of rows that are still there wait again, with their latest reading."""
        for row in rows:
            self._waiting[row.series] = self._latest.get(row.series, row)
