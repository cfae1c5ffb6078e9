"""What InfluxDB holds of a series, for the page: points for a chart, readings as CSV."""

import csv
import io
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Generic, NamedTuple, TypeVar
from urllib.parse import urlencode

import msgspec

from collector.audit.unreachable import InfluxError, InfluxUnreachable, address, words
from telemetry import influx, timestamp
from telemetry.settings import InfluxAccess
from telemetry.thread import Thread

MAX_SERIES = 50
MAX_UNDER_WAY = 8
_TIMEOUT_S = 10
_ROWS_AT_ONCE = 5_000
_FORMULA = "=+-@"  # what spreadsheets compute
_NOTHING_YET = "database not found"
_HEADERS = {
    "Content-Type": "application/x-www-form-urlencoded",
    "Accept": "application/json",  # else the client asks for msgpack
    "Accept-Encoding": "identity",
}

T = TypeVar("T")


class Range(NamedTuple):
    """How far back, and which time each point of a chart stands for, in seconds."""

    seconds: int
    step: int


RANGES = {
    "minutes": Range(900, 3),
    "hour": Range(3600, 12),
    "day": Range(86_400, 300),
    "week": Range(604_800, 1800),
}


class Series(NamedTuple):
    """The two labels of a series."""

    sensor_id: str
    type: str


Point = tuple[int, float, float, float]
Row = tuple[int, float | str | bool | None]


class _Series(msgspec.Struct, Generic[T]):
    values: list[T]


class _Result(msgspec.Struct, Generic[T]):
    series: list[_Series[T]] = []
    error: str | None = None


class _Answer(msgspec.Struct, Generic[T]):
    results: list[_Result[T]]


_points = msgspec.json.Decoder(_Answer[Point])
_rows = msgspec.json.Decoder(_Answer[Row])


class HistoryBusy(Exception):
    """Too many ask InfluxDB at once."""


class History:
    """Asks InfluxDB, one query at a time, with the account that may only read.

    Its methods raise HistoryBusy or InfluxUnreachable.
    """

    def __init__(self, access: InfluxAccess) -> None:
        self._access = access
        self._client = influx.client(access, _TIMEOUT_S)
        self._thread: Thread | None = None
        self._under_way = 0

    async def charts(self, wanted: Sequence[Series], span: Range) -> list[list[Point]]:
        """Return the points of each series: (ms, mean, min, max), where there are readings."""
        period = _time(span)
        statements = [
            "SELECT mean(value), min(value), max(value) FROM data"  # noqa: S608  labels are quoted
            f" WHERE {_where(series)} AND {period} GROUP BY time({span.step}s) fill(none)"
            for series in wanted
        ]
        with self._admitted():
            return await self._run(lambda: self._query(statements, _points, "ms"))

    async def table(self, wanted: Sequence[Series], span: Range) -> AsyncIterator[bytes]:
        """Yield the readings as pieces of CSV: `ts,type,value,sensor_id`, series by series."""
        period = _time(span)
        heading = b"ts,type,value,sensor_id\r\n"
        with self._admitted():
            for series in wanted:
                after: int | None = 0
                while after is not None:
                    piece = partial(self._piece, series, f"{period} AND time > {after}")
                    text, after = await self._run(piece)
                    yield heading + text
                    heading = b""

    def _piece(self, series: Series, period: str) -> tuple[bytes, int | None]:
        """Return the next readings as CSV, and the time of the last if there are more."""
        select = f"SELECT value FROM data WHERE {_where(series)} AND {period}"  # noqa: S608
        (rows,) = self._query([f"{select} LIMIT {_ROWS_AT_ONCE}"], _rows, "ns")
        labels = _harmless(series.type), _harmless(series.sensor_id)
        text = io.StringIO()
        csv.writer(text).writerows(
            (timestamp.render(ns), labels[0], value, labels[1])
            for ns, value in rows
            if isinstance(value, float)
        )
        return text.getvalue().encode(), rows[-1][0] if len(rows) == _ROWS_AT_ONCE else None

    @contextmanager
    def _admitted(self) -> Iterator[None]:
        if self._under_way == MAX_UNDER_WAY:
            raise HistoryBusy(f"{MAX_UNDER_WAY} others are asking for the history")
        self._under_way += 1
        try:
            yield
        finally:
            self._under_way -= 1

    async def _run(self, call: Callable[[], T]) -> T:
        self._thread = self._thread or Thread("history")
        return await self._thread.run(call)

    def _query(
        self, statements: Sequence[str], answer: msgspec.json.Decoder[_Answer[T]], epoch: str
    ) -> list[list[T]]:
        """Return the rows of each statement; none while there is no database."""
        text = ";".join(statements)
        form = urlencode({"db": self._access["database"], "epoch": epoch, "q": text})
        try:
            response = self._client.request("query", "POST", data=form, headers=_HEADERS)
            return _found(answer.decode(response.content).results, len(statements))
        except Exception as error:
            why = f"{address(self._access)} {words(error, _TIMEOUT_S)}"
            raise InfluxUnreachable(why) from error


def _found(results: Sequence[_Result[T]], statements: int) -> list[list[T]]:
    for error in filter(None, (result.error for result in results)):
        if not error.startswith(_NOTHING_YET):
            raise InfluxError(error)
        return [[] for _ in range(statements)]
    if len(results) != statements:
        raise ValueError(f"{len(results)} results of {statements} statements")
    return [[row for series in result.series for row in series.values] for result in results]


def _time(span: Range) -> str:
    now = time.time_ns()
    return f"time > {now - span.seconds * 10**9} AND time <= {now}"


def _where(series: Series) -> str:
    sensor_id, type_ = map(influx.literal, series)
    return f'"sensor_id" = {sensor_id} AND "type" = {type_}'


def _harmless(label: str) -> str:
    """Return a label that no spreadsheet takes for a formula."""
    return f"'{label}" if label[0] in _FORMULA else label
