"""Compares accepted readings with InfluxDB: point by point, value by value."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import msgspec

from collector.audit.read_back import ReadBack, spans
from collector.outbox.row import Row
from collector.outbox.window import State, Window
from telemetry import timestamp
from telemetry.reading import PublishedReading

_decode = msgspec.json.Decoder(PublishedReading).decode


def differing(rows: Sequence[Row], read_back: ReadBack) -> Iterator[tuple[Row, object]]:
    """Yield the rows whose value InfluxDB does not hold, with what it holds, None for nothing.

    Raises InfluxUnreachable.
    """
    for span, values in read_back.values(list(spans(rows))):
        for row in span.rows:
            found = values.get(row.ns)
            if found is None or found != _value(row):
                yield row, found


class Result(NamedTuple):
    """What has become of the readings of a window.

    `superseded`: a reading accepted later has the same series and timestamp. `expired`: removed by
    a retention policy. `missing`: InfluxDB has no value, or another one.
    """

    audited: int
    stored: int
    pending: int
    rejected: int
    superseded: int
    expired: int
    missing: int


class Audit:
    """One comparison; `missing` has a line for each reading that is missing."""

    def __init__(self, window: Window, read_back: ReadBack) -> None:
        self._window = window
        self._read_back = read_back
        self.missing: list[str] = []

    def run(self) -> Result:
        """Compare; raises InfluxUnreachable."""
        kept_since = self._read_back.kept_since()
        counts: Counter[str] = Counter()
        for rows in self._window.chunks():
            counts["audited"] += len(rows)
            stored = []
            for row in rows:
                state = self._window.state(row.seq)
                counts[state.value] += 1
                if state is State.STORED:
                    stored.append(row)
            suspects = list(differing(stored, self._read_back))
            superseded = self._window.corrections(sorted(row for row, _ in suspects))
            for row, found in suspects:
                counts["stored"] -= 1
                if row.ns < kept_since:
                    counts["expired"] += 1
                elif row.seq in superseded:
                    counts["superseded"] += 1
                else:
                    counts["missing"] += 1
                    self.missing.append(_description(row, found))
        return Result(**{name: counts[name] for name in Result._fields})


def _description(row: Row, found: object) -> str:
    held = "nothing" if found is None else repr(found)
    return (
        f"missing: number {row.seq}, {row.series} at {timestamp.render(row.ns)}:"
        f" {_value(row)!r} was acknowledged, InfluxDB has {held}"
    )


def _value(row: Row) -> float:
    return float(_decode(row.payload).value)
