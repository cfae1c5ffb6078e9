"""GET /history and /history.csv: what InfluxDB holds of some series."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from http import HTTPStatus

import msgspec
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from collector.http.problem import Problem
from collector.live.history import MAX_SERIES, RANGES, History, Range, Series
from telemetry.reading import label_fault

PATHS = ("/history", "/history.csv")
_PARAMETERS = {"series", "range"}
_MAX_SHOWN = 150
_Endpoint = Callable[[Request], Awaitable[Response]]


def routes(history: History) -> list[Route]:
    """Return the two endpoints."""

    async def charts(request: Request) -> Response:
        wanted, span = _asked(request)
        points = await history.charts(wanted, span)
        found = {"/".join(series): chart for series, chart in zip(wanted, points, strict=True)}
        return Response(msgspec.json.encode(found), media_type="application/json")

    async def table(request: Request) -> Response:
        wanted, span = _asked(request)
        pieces = history.table(wanted, span)
        first = await anext(pieces)  # while there may still be a problem instead
        name = f"readings-{request.query_params['range']}.csv"
        return _Download(name, first, pieces)

    gets = (charts, table)
    return [Route(path, _while_there(get)) for path, get in zip(PATHS, gets, strict=True)]


def _while_there(get: _Endpoint) -> _Endpoint:
    """Return the endpoint `get`, cancelled when its client goes away: nobody else needs it."""

    async def endpoint(request: Request) -> Response:
        response = asyncio.ensure_future(get(request))
        gone = asyncio.ensure_future(_gone(request.receive))
        try:
            await asyncio.wait((response, gone), return_when=asyncio.FIRST_COMPLETED)
            return await response if response.done() else Response()  # which nobody gets
        finally:
            response.cancel()
            gone.cancel()

    return endpoint


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


class _Download(StreamingResponse):
    """Pieces of CSV; however the response ends, they give their turn back at once."""

    media_type = "text/csv"

    def __init__(self, name: str, first: bytes, rest: AsyncGenerator[bytes, None]) -> None:
        headers = {"Content-Disposition": f'attachment; filename="{name}"'}
        super().__init__(_joined(first, rest), headers=headers)
        self._rest = rest

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with aclosing(self._rest):
            await super().__call__(scope, receive, send)


async def _joined(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for piece in rest:
        yield piece


def _asked(request: Request) -> tuple[list[Series], Range]:
    """Return the series and the range that a query names; raises Problem 400 or 422."""
    query = request.query_params
    for name in query.keys() - _PARAMETERS:
        detail = (
            f"{name[:_MAX_SHOWN]!r} is not a parameter; send series=<sensor_id>/<type> and range"
        )
        raise Problem(HTTPStatus.BAD_REQUEST, detail)
    names = query.getlist("series")
    if not 1 <= len(names) <= MAX_SERIES:
        detail = f"series: {len(names)} of them; send 1 to {MAX_SERIES} as series=7/temp"
        raise Problem(HTTPStatus.BAD_REQUEST, detail)
    span = query.get("range", "")
    if span not in RANGES:
        detail = f"range {span[:_MAX_SHOWN]!r}: send one of {', '.join(RANGES)}"
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, detail)
    return [_series(name) for name in dict.fromkeys(names)], RANGES[span]


def _series(name: str) -> Series:
    labels = name.split("/")
    fault = "must be <sensor_id>/<type>" if len(labels) != 2 else None  # noqa: PLR2004
    for label in labels:
        fault = fault or label_fault(label)
    if fault:
        detail = f"series {name[:_MAX_SHOWN]!r}: {fault}"
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, detail)
    return Series(*labels)
