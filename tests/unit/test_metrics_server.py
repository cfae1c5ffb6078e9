"""The bridge's port for metrics, and hostile clients."""

import asyncio
import socket
from collections.abc import Awaitable, Callable

import pytest

from bridge import metrics_server
from bridge.metrics_server import _MAX_CONNECTIONS, MetricsServer
from telemetry.durations import Histogram
from telemetry.exposition import Exposition

GET = b"GET /metrics HTTP/1.1\r\nHost: bridge\r\n\r\n"

Client = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Dial = Callable[[], Awaitable[Client]]


def serve(scenario: Callable[[Dial], Awaitable[None]]) -> None:
    """Run a scenario beside the server."""

    async def run() -> None:
        listener = socket.create_server(("127.0.0.1", 0))
        port = listener.getsockname()[1]
        histograms = {Histogram((1.0,)): ("work_seconds", "Work")}
        exposition = Exposition("x", dict, counters={}, gauges={}, histograms=histograms)
        running = asyncio.create_task(MetricsServer(exposition).run([listener]))
        writers = []

        async def dial() -> Client:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writers.append(writer)
            return reader, writer

        try:
            async with asyncio.timeout(20):
                await scenario(dial)
        finally:
            running.cancel()
            for writer in writers:
                writer.transport.abort()

    asyncio.run(run())


async def answer(dial: Dial, request: bytes = GET) -> bytes:
    """Return all that is answered to a request; empty if the connection is just closed."""
    reader, writer = await dial()
    writer.write(request)
    try:
        return await reader.read()
    except ConnectionError:
        return b""


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (GET, b"200"),
        (b"GET /metrics?x=1 HTTP/1.0\r\naccept: application/openmetrics-text\r\n\r\n", b"200"),
        (b"GET / HTTP/1.1\r\n\r\n", b"404"),
        (b"POST /metrics HTTP/1.1\r\nContent-Length: 5\r\n\r\n", b"404"),
        (b"\r\n\r\n", b"404"),
        (b"\xff\x00 \xfe\r\n\x80:\r\n\r\n", b"404"),
        (b"GET /metrics HTTP/1.1\r\n" + b"x" * 20_000, b"431"),
    ],
)
def test_each_request_has_an_answer_and_its_connection_an_end(
    request_: bytes, status: bytes
) -> None:
    async def scenario(dial: Dial) -> None:
        response = await answer(dial, request_)
        assert response.startswith(b"HTTP/1.1 %b " % status)
        head, _, content = response.partition(b"\r\n\r\n")
        assert b"Content-Length: %d\r\n" % len(content) in head
        assert (b"x_work_seconds_count" in content) == (status == b"200")
        assert (b"# EOF" in content) == (b"openmetrics" in request_)

    serve(scenario)


def test_who_is_slow_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics_server, "_PATIENCE_S", 0.2)

    async def scenario(dial: Dial) -> None:
        for sent in (b"", b"GET /met", b"GET /metrics HTTP/1.1\r\n"):
            assert await answer(dial, sent) == b""
        assert b" 200 " in await answer(dial)

    serve(scenario)


def test_control_with_more_patience_nobody_is_closed() -> None:
    async def scenario(dial: Dial) -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(answer(dial, b"GET /met"), 0.5)

    serve(scenario)


def test_of_connections_beyond_the_bound_nothing_is_read() -> None:
    async def scenario(dial: Dial) -> None:
        silent = [await dial() for _ in range(_MAX_CONNECTIONS)]
        assert await answer(dial) == b""
        silent[0][1].transport.abort()
        async with asyncio.timeout(10):
            while not await answer(dial):
                pass

    serve(scenario)


def test_who_goes_away_takes_no_place() -> None:
    async def scenario(dial: Dial) -> None:
        for _ in range(_MAX_CONNECTIONS * 2):
            _, writer = await dial()
            writer.write(GET)
            writer.transport.abort()
        async with asyncio.timeout(10):
            while not await answer(dial):
                pass

    serve(scenario)


def test_answers_leave_time_for_other_things(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    monkeypatch.setattr("bridge.metrics_server.asyncio.sleep", sleep)

    async def scenario(dial: Dial) -> None:
        for _ in range(3):
            assert await answer(dial)

    serve(scenario)
    assert pauses == [0.05] * 3
