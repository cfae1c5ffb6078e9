"""Requests for a history whose clients go away before they are answered."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from collector.live import history as history_module
from collector.live.history import MAX_SERIES, MAX_UNDER_WAY, MAX_WAITING, History, Point, Series
from collector.live.turns import Turns
from tests.integration.http_server import PATIENT, Client, Dial, serve
from tests.service import wait_for

ANSWERED = "answered/temp"
LEFT = [f"left{number}/temp" for number in range(MAX_SERIES - 1)]
CROWDS = {"/history": MAX_UNDER_WAY + MAX_WAITING, "/history.csv": MAX_UNDER_WAY}


class Influx:
    """Notes whose histories are asked for; answers for one, and hangs until it is released."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.released = threading.Event()

    def ask(self, series: Series) -> None:
        name = "/".join(series)
        if name != ANSWERED:
            self.asked.append(name)
            self.released.wait()


@pytest.fixture
def influx(monkeypatch: pytest.MonkeyPatch) -> Influx:
    influx = Influx()

    def chart(_: History, series: Series, *__: object) -> list[Point]:
        influx.ask(series)
        return []

    def rows(_: History, series: Series, *__: object) -> tuple[bytes, None]:
        influx.ask(series)
        return b"", None

    monkeypatch.setattr(History, "_chart", chart)
    monkeypatch.setattr(History, "_rows", rows)
    monkeypatch.setattr(history_module, "_TIMEOUT_S", 60)  # so that none leaves because of it
    return influx


@pytest.fixture
def present(monkeypatch: pytest.MonkeyPatch) -> list[None]:
    """An entry for each request that has a place, under way or in the queue."""
    present: list[None] = []

    class Watched(Turns):
        @asynccontextmanager
        async def turn(self) -> AsyncIterator[None]:
            present.append(None)
            try:
                async with super().turn():
                    yield
            finally:
                present.pop()

    monkeypatch.setattr(history_module, "Turns", Watched)
    return present


async def ask(dial: Dial, path: str, series: list[str]) -> Client:
    client = await dial()
    query = "&".join(f"series={name}" for name in series)
    client[1].write(f"GET {path}?{query}&range=hour HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    return client


async def until(condition: Callable[[], object]) -> None:
    await asyncio.to_thread(wait_for, condition)


@pytest.mark.parametrize("answered", [[], [ANSWERED]])
@pytest.mark.parametrize("path", CROWDS)
def test_who_goes_away_gives_the_place_back_and_is_not_asked_for(
    tmp_path: Path, influx: Influx, present: list[None], path: str, answered: list[str]
) -> None:
    async def scenario(dial: Dial) -> None:
        crowd = [await ask(dial, path, answered + LEFT) for _ in range(CROWDS[path])]
        await until(lambda: len(present) == len(crowd) and influx.asked)
        for _, writer in crowd:
            writer.close()
        await until(lambda: not present)
        reader, _ = await ask(dial, path, ["stays/temp"])
        await until(lambda: present)
        influx.released.set()
        assert (await reader.readline()).startswith(b"HTTP/1.1 200 ")
        assert influx.asked == [LEFT[0], "stays/temp"]

    try:
        serve(tmp_path, PATIENT._replace(connections=200, of_address=200), scenario)
    finally:
        influx.released.set()


def test_control_who_stays_is_asked_for_and_answered(
    tmp_path: Path, influx: Influx, present: list[None]
) -> None:
    async def scenario(dial: Dial) -> None:
        crowd = [await ask(dial, path, LEFT) for path in CROWDS]
        await until(lambda: len(present) == len(crowd))
        influx.released.set()
        for reader, _ in crowd:
            assert (await reader.readline()).startswith(b"HTTP/1.1 200 ")
            await reader.read()
        assert sorted(influx.asked) == sorted(LEFT * 2)

    try:
        serve(tmp_path, PATIENT, scenario)
    finally:
        influx.released.set()
