"""Compares accepted readings with InfluxDB: point by point, value by value."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from collector.audit.read_back import ReadBack, spans
from collector.outbox.elsewhere import Elsewhere, correction
from collector.outbox.row import Row
from collector.outbox.superseded import Superseded
from collector.outbox.window import State, Window
from telemetry import timestamp

# So many readings of a kind are described, the others only counted.
MAX_DESCRIBED = 20
_MAX_SUPERSEDED = 5
# So many are looked for in other outboxes at once.
_MANY_DIFFERING = 20_000


def differing(rows: Sequence[Row], read_back: ReadBack) -> Iterator[tuple[Row, object]]:
    """Yield the rows whose value InfluxDB does not hold, with what it holds, None for nothing.

    Raises InfluxUnreachable.
    """
    for span, values in read_back.values(list(spans(rows))):
        for row in span.rows:
            found = values.get(row.ns)
            if found is None or found != row.value:
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


def total(results: Iterable[Result]) -> Result:
    """Return the sum of the results of several outboxes."""
    return Result._make(map(sum, zip(*results, strict=True)))


class Audit:
    """One comparison."""

    def __init__(self, window: Window, read_back: ReadBack, elsewhere: Elsewhere) -> None:
        self._window = window
        self._read_back = read_back
        self._elsewhere = elsewhere
        self._differing: list[tuple[Row, object]] = []
        self._counts: Counter[str] = Counter()
        self.missing: list[str] = []
        """A description of each of the first 20 readings that are missing."""
        self.superseded: list[Superseded] = []
        """The first five readings whose value was replaced."""
        self.missing_since: int | None = None
        """When the oldest of all that are missing was accepted (Unix time, s)."""

    def run(self, on_progress: Callable[[int], None]) -> Result:
        """Compare; raises InfluxUnreachable. Tells up to which sequence number it has come."""
        self._read_back.kept_since()  # raises InfluxUnreachable also if nothing is stored
        for rows in self._window.chunks():
            self._counts["audited"] += len(rows)
            stored = []
            for row in rows:
                state = self._window.state(row.seq)
                self._counts[state.value] += 1
                if state is State.STORED:
                    stored.append(row)
            if suspects := list(differing(stored, self._read_back)):
                # Asked now: more may have expired since the audit began.
                self._judge(suspects, self._read_back.kept_since())
            if len(self._differing) >= _MANY_DIFFERING:
                self._judge_differing()
            if rows:
                on_progress(rows[-1].seq)
        self._judge_differing()
        return Result(**{name: self._counts[name] for name in Result._fields})

    def _judge(self, suspects: Sequence[tuple[Row, object]], kept_since: int) -> None:
        """Count stored readings that differ from what InfluxDB holds."""
        superseded = self._window.corrections(sorted(row for row, _ in suspects))
        for row, found in suspects:
            self._counts["stored"] -= 1
            if row.ns < kept_since:
                self._counts["expired"] += 1
            elif row.seq in superseded:
                self._note_superseded(row, self._window.read(superseded[row.seq]))
            elif found is None:
                self._note_missing(row, found)
            else:
                self._differing.append((row, found))

    def _judge_differing(self) -> None:
        """Count readings for which InfluxDB has another value, and which no later one explains."""
        last = self._elsewhere.last([row for row, _ in self._differing])
        for row, found in self._differing:
            if later := correction(last, row, found):
                self._note_superseded(row, later)
            else:
                self._note_missing(row, found)
        self._differing.clear()

    def _note_superseded(self, row: Row, later: Row | None) -> None:
        self._counts["superseded"] += 1
        if later and len(self.superseded) < _MAX_SUPERSEDED:
            self.superseded.append(Superseded(row.series, row.ns, row.value, later.value))

    def _note_missing(self, row: Row, found: object) -> None:
        self._counts["missing"] += 1
        self.missing_since = min(row.at, self.missing_since or row.at)
        if len(self.missing) < MAX_DESCRIBED:
            self.missing.append(_description(row, found))


def _description(row: Row, found: object) -> str:
    held = "nothing" if found is None else repr(found)
    return (
        f"missing: {row.series} at {timestamp.render(row.ns)} (number {row.seq}):\n"
        f"  {row.value!r} was accepted, InfluxDB has {held}"
    )
