"""What InfluxDB holds of a series, for the page: points for a chart, readings as CSV."""

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import suppress
from functools import cached_property, partial
from typing import NamedTuple, TypeVar
from urllib.parse import urlencode

import msgspec
from influxdb.line_protocol import quote_literal

from collector.audit.unreachable import InfluxError, InfluxUnreachable, address, words
from collector.live import spreadsheet
from collector.live.turns import Turns
from telemetry import influx
from telemetry.settings import InfluxAccess
from telemetry.thread import Thread

MAX_SERIES = 50
MAX_UNDER_WAY = 8  # of charts; and as many tables
MAX_WAITING = 100  # for a chart
_TIMEOUT_S = 10
_ROWS_AT_ONCE = 5_000
_MEAN = "mean(value)"
# A stored value, so always a number; the sum that a mean needs may be none.
_MEDIAN = "percentile(value, 50)"
_NO_NUMBER = b"unsupported value"
_NOTHING_YET = ("database not found", "retention policy not found")
_NS_PER_MS = 1_000_000
_HEADERS = {
    "Content-Type": "application/x-www-form-urlencoded",
    "Accept": "application/json",  # else the client asks for msgpack
    "Accept-Encoding": "identity",
}

T = TypeVar("T")


class Range(NamedTuple):
    """How far back, and how long a point of a chart is, in seconds.

    `rollup` is the retention policy that may hold means of what is no longer kept.
    """

    seconds: int
    step: int
    rollup: str = ""


RANGES = {
    "minutes": Range(900, 3),
    "hour": Range(3600, 12),
    "day": Range(86_400, 300, "rollup_1m"),
    "week": Range(604_800, 1800, "rollup_1h"),
}


class Series(NamedTuple):
    """The two labels of a series."""

    sensor_id: str
    type: str


Point = tuple[int, float, float, float]
Row = tuple[int, float | str | bool | None]


_points = msgspec.json.Decoder(influx.Answer[Point])
_rows = msgspec.json.Decoder(influx.Answer[Row])


class _NoNumber(InfluxUnreachable):
    """InfluxDB has computed what JSON cannot express: an infinite mean."""


class History:
    """Asks InfluxDB, one query at a time, with the account that may only read.

    Its methods raise HistoryBusy or InfluxUnreachable.
    """

    def __init__(self, access: InfluxAccess) -> None:
        self._access = access
        self._client = influx.client(access, _TIMEOUT_S)
        self._charts = Turns(MAX_UNDER_WAY, MAX_WAITING, _TIMEOUT_S)
        self._tables = Turns(MAX_UNDER_WAY)
        self._piece = asyncio.Lock()  # held while InfluxDB is asked for a piece of a table

    async def charts(self, wanted: Sequence[Series], span: Range) -> list[list[Point]]:
        """Return the points of each series: (ms, mean, min, max), where there are readings."""
        since, until = _period(span)
        async with self._charts.turn():
            return [
                await self._in_time(
                    self._thread.run(partial(self._chart, series, span, since, until))
                )
                for series in wanted
            ]

    async def table(self, wanted: Sequence[Series], span: Range) -> AsyncGenerator[bytes, None]:
        """Yield the readings as pieces of CSV: `ts,type,value,sensor_id`, series by series."""
        since, until = _period(span)
        heading = spreadsheet.HEADING
        async with self._tables.turn():
            for series in wanted:
                after: int | None = since
                while after is not None:
                    rows = partial(self._rows, series, after, until)
                    text, after = await self._in_time(self._ask_for_piece(rows))
                    yield heading + text
                    heading = b""

    def _chart(self, series: Series, span: Range, since: int, until: int) -> list[Point]:
        """Return the points of a series; with medians, if a mean of them is no number."""
        try:
            return self._points(_MEAN, series, span, since, until)
        except _NoNumber:
            return self._points(_MEDIAN, series, span, since, until)

    def _points(
        self, middle: str, series: Series, span: Range, since: int, until: int
    ) -> list[Point]:
        """Return the points of a series: of its readings, and before them of the roll-ups."""
        tail = f"GROUP BY time({span.step}s) fill(none)"
        select = f"{middle}, min(value), max(value) FROM data"
        points = self._query(f"{select} {_where(series, since, until)} {tail}", _points)
        if span.rollup:
            select = f'{middle}, min("min"), max("max") FROM {span.rollup}.data'
            first = points[0][0] if points else until
            where = _where(series, since, first - 1)
            points = self._query(f"{select} {where} {tail}", _points) + points
        return [(ns // _NS_PER_MS, mean, least, most) for ns, mean, least, most in points]

    def _rows(self, series: Series, after: int, until: int) -> tuple[bytes, int | None]:
        """Return the next readings as CSV, and the time of the last if there are more."""
        where = _where(series, after, until)
        rows = self._query(f"value FROM data {where} LIMIT {_ROWS_AT_ONCE}", _rows)
        readings = ((ns, value) for ns, value in rows if isinstance(value, float))
        text = spreadsheet.lines(readings, series.type, series.sensor_id)
        return text, rows[-1][0] if len(rows) == _ROWS_AT_ONCE else None

    @cached_property
    def _thread(self) -> Thread:
        return Thread("history")

    async def _ask_for_piece(self, call: Callable[[], T]) -> T:
        """Make the call when no other piece is asked for, so that charts wait for one at most.

        The thread may still be at one that nobody waits for any more; so it is the end of the call
        that lets the next begin.
        """
        loop = asyncio.get_running_loop()

        def let_next(_: object) -> None:
            with suppress(RuntimeError):  # the loop is closed: the process ends
                loop.call_soon_threadsafe(self._piece.release)

        await self._piece.acquire()
        piece = self._thread.start(call)
        piece.add_done_callback(let_next)
        return await asyncio.wrap_future(piece)

    async def _in_time(self, answer: Awaitable[T]) -> T:
        try:
            async with asyncio.timeout(_TIMEOUT_S):
                return await answer
        except TimeoutError:
            why = f"{address(self._access)} does not answer: no answer within {_TIMEOUT_S:g} s"
            raise InfluxUnreachable(why) from None

    def _query(self, selection: str, answer: msgspec.json.Decoder[influx.Answer[T]]) -> list[T]:
        """Return rows; none while there is no such database or retention policy."""
        query = {"db": self._access["database"], "epoch": "ns", "q": f"SELECT {selection}"}
        try:
            answered = self._client.request(
                "query", "POST", data=urlencode(query), headers=_HEADERS
            )
            if _NO_NUMBER not in answered.content:
                return _found(answer.decode(answered.content))
        except Exception as error:
            why = f"{influx.asked(self._client)} {words(error, _TIMEOUT_S)}"
            raise InfluxUnreachable(why) from error
        raise _NoNumber(f"{influx.asked(self._client)} has computed a value that is no number")


def _found(answer: influx.Answer[T]) -> list[T]:
    (result,) = answer.results
    if result.error and not result.error.startswith(_NOTHING_YET):
        raise InfluxError(result.error)
    return [row for series in result.series for row in series.values]


def _period(span: Range) -> tuple[int, int]:
    until = time.time_ns()
    return until - span.seconds * 10**9, until


def _where(series: Series, after: int, until: int) -> str:
    sensor_id, type_ = map(quote_literal, series)
    return (
        f'WHERE "sensor_id" = {sensor_id} AND "type" = {type_}'
        f" AND time > {after} AND time <= {until}"
    )
