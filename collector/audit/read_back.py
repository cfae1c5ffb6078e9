"""Reads back from InfluxDB: points by series and span of time, and whether it is still the same."""

import re
import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Sequence
from functools import wraps
from itertools import pairwise
from typing import Concatenate, NamedTuple, ParamSpec, TypeVar
from urllib.parse import urlencode

import msgspec
from influxdb.exceptions import InfluxDBClientError
from influxdb.line_protocol import quote_ident, quote_literal

from collector.audit.unreachable import InfluxError, InfluxUnreachable, words
from collector.outbox.row import Row
from telemetry import influx
from telemetry.settings import InfluxAccess

_MEASUREMENT = "data"
_NO_DATABASE = "database not found"
TIMEOUT_S = 60
# Readings of a series further apart than this are in separate spans, so that the many points of
# others that may lie between them are not read.
_GAP_NS = 60 * 1_000_000_000
_SPANS_PER_QUERY = 200
# Without these the client asks for msgpack, gzipped, and unpacks it in Python.
_HEADERS = {
    "Content-Type": "application/x-www-form-urlencoded",
    "Accept": "application/json",
    "Accept-Encoding": "identity",
}
_STARTED = re.compile(rb'"started":\s*"([^"]+)"')
# Somebody else may write points between ours, any number of them; then the span is halved.
_MORE_POINTS = 1000
_UNITS_NS = {"h": 3600 * 10**9, "m": 60 * 10**9, "s": 10**9}

P = ParamSpec("P")
T = TypeVar("T")


def _boundary(
    ask: Callable[Concatenate["ReadBack", P], T], /
) -> Callable[Concatenate["ReadBack", P], T]:
    """Make a method raise InfluxUnreachable, whatever comes from InfluxDB, and nothing else."""

    @wraps(ask)
    def ask_or_refuse(read_back: "ReadBack", /, *args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return ask(read_back, *args, **kwargs)
        except Exception as error:
            why = f"{read_back.server} {words(error, read_back.timeout_s)}"
            raise InfluxUnreachable(why) from error

    return ask_or_refuse


class Span(NamedTuple):
    """Readings of one series that lie close together, ordered by time."""

    series: str
    rows: list[Row]


# InfluxDB writes 2^63 as 9223372036854776000, which is that float but not that integer.
Value = float | str | bool | None
Values = dict[int, Value]


_points = msgspec.json.Decoder(influx.Answer[tuple[int, Value]])
_rows = msgspec.json.Decoder(influx.Answer[list[object]])


def spans(rows: Sequence[Row]) -> Iterator[Span]:
    """Group rows into spans."""
    by_series: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        by_series[row.series].append(row)
    for series, members in by_series.items():
        members.sort(key=lambda row: row.ns)
        start = 0
        for end, (earlier, later) in enumerate(pairwise(members), 1):
            if later.ns - earlier.ns > _GAP_NS:
                yield Span(series, members[start:end])
                start = end
        yield Span(series, members[start:])


class ReadBack:
    """Queries InfluxDB 1.x; every method raises InfluxUnreachable."""

    def __init__(self, access: InfluxAccess, timeout_s: float = TIMEOUT_S) -> None:
        self.timeout_s = timeout_s
        self.database = access["database"]
        self.has_database = True
        """Whether the last answer came from this database; else InfluxDB does not know it."""
        self._client = influx.client(access, timeout_s)

    @property
    def server(self) -> str:
        """How messages name what was asked last."""
        return influx.asked(self._client)

    def values(self, spans: Sequence[Span]) -> Iterator[tuple[Span, Values]]:
        """Yield parts of the spans with what InfluxDB holds in them: values by nanosecond.

        That is nothing while the database does not exist.
        """
        rest = deque(spans)
        while rest:
            group = [rest.popleft() for _ in range(min(len(rest), _SPANS_PER_QUERY))]
            for span, found in zip(group, self._read(group), strict=True):
                if len(found) < _limit(span) or len(span.rows) == 1:
                    yield span, dict(found)
                else:
                    middle = len(span.rows) // 2
                    halves = span.rows[:middle], span.rows[middle:]
                    rest.extend(Span(span.series, rows) for rows in halves)

    @_boundary
    def kept_since(self) -> int:
        """Return the timestamp (ns) before which the default policy may remove readings.

        Every database of InfluxDB has one: an answer without is not InfluxDB's.
        """
        show = f"SHOW RETENTION POLICIES ON {quote_ident(self.database)}"
        (result,) = self._query(show, _rows)
        self._note([result.error] if result.error else [])
        if not self.has_database:
            return 0
        policies = [values for series in result.series for values in series.values]
        (duration,) = (duration for _, duration, *_, is_default in policies if is_default is True)
        kept_ns = _duration_ns(duration)
        return time.time_ns() - kept_ns if kept_ns else 0

    @_boundary
    def started(self) -> str | None:
        """Return when InfluxDB was started, in its own words; None if it does not tell."""
        try:
            with self._client.request("debug/vars", stream=True, headers=_HEADERS) as response:
                found = _STARTED.search(response.raw.read(4096))
        except InfluxDBClientError:
            return None
        return found[1].decode() if found else None

    @_boundary
    def _read(self, spans: Sequence[Span]) -> list[list[tuple[int, Value]]]:
        results = self._query(";".join(map(_select, spans)), _points)
        self._note([result.error for result in results if result.error])
        if not self.has_database:
            return [[] for _ in spans]
        if len(results) != len(spans):
            raise ValueError(f"{len(results)} results of {len(spans)} statements")
        return [[point for series in r.series for point in series.values] for r in results]

    def _query(
        self, statements: str, answer: msgspec.json.Decoder[influx.Answer[T]]
    ) -> list[influx.Result[T]]:
        form = urlencode({"db": self.database, "epoch": "ns", "q": statements})
        response = self._client.request("query", "POST", data=form, headers=_HEADERS)
        return answer.decode(response.content).results

    def _note(self, errors: Sequence[str]) -> None:
        """Note whether there is a database; raises InfluxError for errors of another kind."""
        self.has_database = not errors
        # Of several statements, InfluxDB may say of the others only that they were not executed.
        if errors and not any(error.startswith(_NO_DATABASE) for error in errors):
            (one,) = self._query(f"SELECT value FROM {_MEASUREMENT} LIMIT 1", _rows)  # noqa: S608
            if one.error is None or not one.error.startswith(_NO_DATABASE):
                raise InfluxError(errors[0])


def _select(span: Span) -> str:
    sensor_id, type_ = span.series.split("/")
    # Quoted identifiers: `type` is a keyword elsewhere than in InfluxDB.
    return (
        f"SELECT value FROM {_MEASUREMENT}"  # noqa: S608  the labels are quoted
        f' WHERE "sensor_id" = {quote_literal(sensor_id)} AND "type" = {quote_literal(type_)}'
        f" AND time >= {span.rows[0].ns} AND time <= {span.rows[-1].ns} LIMIT {_limit(span)}"
    )


def _limit(span: Span) -> int:
    """Return how many points of a span are read."""
    return 2 * len(span.rows) + _MORE_POINTS


def _duration_ns(text: object) -> int:
    """Return the nanoseconds of a duration such as 720h0m0s; 0 is for ever."""
    parts = re.findall(r"(\d+)([hms])", str(text))
    return sum(int(count) * _UNITS_NS[unit] for count, unit in parts)
