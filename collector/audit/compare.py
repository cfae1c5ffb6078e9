"""Compares accepted readings with InfluxDB: point by point, value by value."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import NamedTuple

import msgspec

from collector.audit.read_back import ReadBack, spans
from collector.outbox.row import Row
from collector.outbox.window import State, Window
from telemetry import timestamp
from telemetry.reading import PublishedReading

_SPANS_PER_QUERY = 200

_decode = msgspec.json.Decoder(PublishedReading).decode

# A point's series and timestamp (ns).
Point = tuple[str, int]


class Result(NamedTuple):
    """What has become of the readings of a window.

    `superseded`: another accepted reading has the same series and timestamp, and its value is in
    InfluxDB. `missing`: InfluxDB has no value, or one that was never accepted.
    """

    audited: int
    stored: int
    pending: int
    rejected: int
    superseded: int
    missing: int


class Audit:
    """One comparison; `missing` has a line for each reading that is missing."""

    def __init__(self, window: Window, read_back: ReadBack) -> None:
        self._window = window
        self._read_back = read_back
        self.missing: list[str] = []

    def run(self) -> Result:
        """Compare; raises InfluxUnreachable."""
        states: Counter[State] = Counter()
        suspects: dict[Point, list[tuple[Row, float | None]]] = defaultdict(list)
        for rows in self._window.chunks():
            by_state: dict[State, list[Row]] = defaultdict(list)
            for row in rows:
                by_state[self._window.state(row)].append(row)
            states.update({state: len(members) for state, members in by_state.items()})
            for row, found in self._differing(by_state[State.STORED]):
                suspects[row.series, row.ns].append((row, found))
        superseded, missing = self._sort(suspects)
        return Result(
            audited=states.total(),
            stored=states[State.STORED] - superseded - missing,
            pending=states[State.PENDING],
            rejected=states[State.REJECTED],
            superseded=superseded,
            missing=missing,
        )

    def _differing(self, rows: Sequence[Row]) -> Iterator[tuple[Row, float | None]]:
        """Yield the rows whose value in InfluxDB is missing or different, with that value."""
        rest = spans(rows)
        while group := list(islice(rest, _SPANS_PER_QUERY)):
            for span, values in zip(group, self._read_back.values(group), strict=True):
                for row in span.rows:
                    found = values.get(row.ns)
                    if found is None or found != _value(row):
                        yield row, found

    def _sort(self, suspects: dict[Point, list[tuple[Row, float | None]]]) -> tuple[int, int]:
        """Return how many suspects are superseded and how many missing; describe the latter."""
        accepted = self._accepted_values(suspects)
        superseded = 0
        for point, rows in suspects.items():
            for row, found in rows:
                if found in accepted[point]:
                    superseded += 1
                else:
                    self.missing.append(_description(row, found))
        return superseded, len(self.missing)

    def _accepted_values(
        self, points: dict[Point, list[tuple[Row, float | None]]]
    ) -> dict[Point, set[float | None]]:
        values: dict[Point, set[float | None]] = defaultdict(set)
        for rows in self._window.chunks() if points else ():
            for row in rows:
                if (row.series, row.ns) in points:
                    values[row.series, row.ns].add(_value(row))
        return values


def _description(row: Row, found: float | None) -> str:
    held = "nothing" if found is None else repr(found)
    return (
        f"missing: number {row.seq}, {row.series} at {timestamp.render(row.ns)}:"
        f" {_value(row)!r} was acknowledged, InfluxDB has {held}"
    )


def _value(row: Row) -> float:
    return float(_decode(row.payload).value)
