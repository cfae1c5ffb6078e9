"""One reading of each series, to be looked at again and again."""

from collections.abc import Iterable

from collector.outbox.row import Row

_MAX_SERIES = 50_000


class Patrol:
    """The last verified reading of each series, in the order in which they were looked at."""

    def __init__(self) -> None:
        self._newest: dict[str, Row] = {}

    def add(self, rows: Iterable[Row]) -> None:
        """Put rows at the end, in place of earlier ones of their series."""
        for row in rows:
            self._newest.pop(row.series, None)
            self._newest[row.series] = row
        while len(self._newest) > _MAX_SERIES:
            del self._newest[next(iter(self._newest))]

    def take(self, count: int) -> list[Row]:
        """Remove the first rows and return them."""
        return [self._newest.pop(series) for series in list(self._newest)[:count]]
