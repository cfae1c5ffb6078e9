"""A download that is cut off gives its turn back, even while something still refers to it."""

import asyncio
from collections.abc import AsyncGenerator

import pytest
from starlette.applications import Starlette
from starlette.types import Message

from collector.http import history
from collector.live.history import MAX_UNDER_WAY, History, Range, Series
from collector.settings import Settings

SCOPE = {
    "type": "http",
    "asgi": {"spec_version": "2.3"},
    "method": "GET",
    "path": "/history.csv",
    "query_string": b"series=7/temp&range=hour",
    "headers": [],
}


def test_a_download_that_is_cut_off_gives_its_turn_back(monkeypatch: pytest.MonkeyPatch) -> None:
    def rows(_: History, __: Series, after: int, ___: int) -> tuple[bytes, int]:
        return b"x", after

    table, held = History.table, []

    def referred_to(
        past: History, wanted: list[Series], span: Range
    ) -> AsyncGenerator[bytes, None]:
        held.append(table(past, wanted, span))
        return held[-1]

    async def receive() -> Message:
        await asyncio.Event().wait()
        raise AssertionError

    async def scenario() -> None:
        app = Starlette(routes=history.routes(History(Settings().influx)))
        for _ in range(MAX_UNDER_WAY + 1):
            has_begun = asyncio.Event()

            async def send(message: Message, has_begun: asyncio.Event = has_begun) -> None:
                assert message.get("status", 200) == 200
                if message.get("body"):
                    has_begun.set()
                    await asyncio.Event().wait()

            download = asyncio.create_task(app(dict(SCOPE), receive, send))
            async with asyncio.timeout(2):
                await has_begun.wait()
            download.cancel()
            with pytest.raises(asyncio.CancelledError):
                await download

    monkeypatch.setattr(History, "_rows", rows)
    monkeypatch.setattr(History, "table", referred_to)
    asyncio.run(scenario())
