"""Many who ask for a history at once, of an InfluxDB that is well, slow or hangs."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from collector.audit.unreachable import InfluxUnreachable
from collector.live import history as history_module
from collector.live.history import MAX_UNDER_WAY, MAX_WAITING, RANGES, History, Point, Series
from collector.live.turns import HistoryBusy
from collector.settings import Settings
from tests.builders import reading
from tests.integration.posting import client, send
from tests.service import wait_for
from tests.stack import Influx, Stack

ASKED = "/history?series=7/temp&series=8/temp&range=hour"
HOUR = RANGES["hour"]
SERIES = [Series("7", "temp")]
MOST = MAX_UNDER_WAY + MAX_WAITING


@pytest.fixture(scope="module")
def influx(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Influx]:
    with Influx(tmp_path_factory.mktemp("crowd")) as influx:
        influx.query("CREATE DATABASE iot")
        yield influx


def history(influx: Influx) -> History:
    return History(Settings(influx_port=influx.port).influx)


async def crowd(asked: History, count: int) -> list[list[list[Point]] | BaseException]:
    requests = [asked.charts(SERIES, HOUR) for _ in range(count)]
    return await asyncio.gather(*requests, return_exceptions=True)


def test_a_crowd_is_answered_and_readings_are_accepted_meanwhile(
    pipeline: Stack, http: httpx.Client, sensor: str
) -> None:
    limits = httpx.Limits(max_connections=MOST + 1)
    with client(pipeline.collector, limits=limits) as many, ThreadPoolExecutor(MOST + 1) as pool:
        forty = [pool.submit(many.get, ASKED) for _ in range(40)]
        assert [answer.result().status_code for answer in forty] == [200] * 40
        pipeline.influx.pause()
        try:
            answers = [pool.submit(many.get, ASKED) for _ in range(MOST + 1)]
            wait_for(lambda: any(answer.done() for answer in answers), what="a refusal")
            assert send(http, reading(sensor)).status_code == 201
        finally:
            pipeline.influx.resume()
        statuses = sorted(answer.result().status_code for answer in answers)
    assert statuses == [200] * MOST + [503]


def test_without_a_queue_a_crowd_would_be_refused(
    influx: Influx, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert asyncio.run(crowd(history(influx), 40)) == [[[]]] * 40
    monkeypatch.setattr(history_module, "MAX_WAITING", 0)
    answers = asyncio.run(crowd(history(influx), 40))
    assert [type(answer) for answer in answers] == [list] * 8 + [HistoryBusy] * 32


def test_who_waits_for_an_influxdb_that_hangs_is_told_soon(
    influx: Influx, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history_module, "_TIMEOUT_S", 0.3)

    async def scenario() -> None:
        asked = history(influx)
        influx.pause()
        try:
            async with asyncio.timeout(10):  # one after another would take 0.3 s each, 32 in all
                answers = await crowd(asked, MOST + 1)
        finally:
            influx.resume()
        kinds = {type(answer) for answer in answers}
        assert kinds == {HistoryBusy, InfluxUnreachable}
        await asyncio.to_thread(wait_for, influx.is_ready, what="InfluxDB")
        assert await crowd(asked, MAX_UNDER_WAY) == [[[]]] * MAX_UNDER_WAY

    asyncio.run(scenario())


@pytest.mark.parametrize("pieces", [0, 1])
def test_every_download_from_an_influxdb_that_hangs_ends_soon(
    influx: Influx, monkeypatch: pytest.MonkeyPatch, pieces: int
) -> None:
    monkeypatch.setattr(history_module, "_TIMEOUT_S", 2)
    monkeypatch.setattr(history_module, "_ROWS_AT_ONCE", 1)
    now = time.time_ns()
    influx.write(f"data,sensor_id=7,type=temp value=1 {now - n * 10**9}" for n in (1, 2, 3))

    async def scenario() -> None:
        asked = history(influx)
        tables = [asked.table(SERIES, HOUR) for _ in range(MAX_UNDER_WAY + 2)]
        for table in tables[:MAX_UNDER_WAY]:
            for _ in range(pieces):
                assert await anext(table)
        influx.pause()
        try:
            async with asyncio.timeout(10):  # one after another would take 2 s each, 16 in all
                ends = await asyncio.gather(*map(anext, tables), return_exceptions=True)
        finally:
            influx.resume()
        kinds = [type(end) for end in ends]
        assert kinds == [InfluxUnreachable] * MAX_UNDER_WAY + [HistoryBusy] * 2

    asyncio.run(scenario())
    wait_for(influx.is_ready, what="InfluxDB")


@pytest.mark.parametrize(
    ("first", "order"),
    [("table", ["table", "chart", "table"]), ("chart", ["chart", "table", "chart"])],
)
def test_a_chart_waits_for_no_more_because_a_download_was_abandoned(
    monkeypatch: pytest.MonkeyPatch, first: str, order: list[str]
) -> None:
    calls: list[str] = []
    released = threading.Event()

    def note(kind: str) -> bytes:
        calls.append(kind)
        released.wait()
        return b""

    def rows(*_: object) -> tuple[bytes, None]:
        return note("table"), None

    monkeypatch.setattr(History, "_rows", rows)
    monkeypatch.setattr(History, "_chart", lambda *_: note("chart"))

    async def scenario() -> None:
        asked = History(Settings().influx)

        async def begin(kind: str) -> asyncio.Future[object]:
            begun: asyncio.Future[object] = asyncio.ensure_future(
                asked.charts(SERIES, HOUR) if kind == "chart" else anext(asked.table(SERIES, HOUR))
            )
            for _ in range(10):
                await asyncio.sleep(0)
            return begun

        running = await begin(first)
        await asyncio.to_thread(wait_for, lambda: calls, what="the first call")
        abandoned = running if first == "table" else await begin("table")
        abandoned.cancel()
        others = [await begin("table"), await begin("chart")]
        released.set()
        await asyncio.gather(running, *others, return_exceptions=True)
        assert calls == order

    try:
        asyncio.run(asyncio.wait_for(scenario(), 10))
    finally:
        released.set()


def test_a_chart_waits_for_one_piece_of_a_table_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def rows(_: History, __: Series, after: int, ___: int) -> tuple[bytes, int]:
        calls.append("table")
        time.sleep(0.01)
        return b"", after

    def chart(*_: object) -> list[Point]:
        calls.append("chart")
        time.sleep(0.01)
        return []

    monkeypatch.setattr(History, "_rows", rows)
    monkeypatch.setattr(History, "_chart", chart)

    async def download(pieces: AsyncIterator[bytes]) -> None:
        async for _ in pieces:
            pass

    async def scenario() -> None:
        asked = History(Settings().influx)
        tables = [
            asyncio.create_task(download(asked.table(SERIES, HOUR))) for _ in range(MAX_UNDER_WAY)
        ]
        await asyncio.sleep(0)
        await asked.charts(SERIES * 20, HOUR)
        for table in tables:
            table.cancel()
        await asyncio.gather(*tables, return_exceptions=True)

    asyncio.run(scenario())
    between = "".join(call[0] for call in calls).strip("t").split("c")
    assert max(map(len, between)) <= 2, between
    assert any(between), "the tables go on too"
