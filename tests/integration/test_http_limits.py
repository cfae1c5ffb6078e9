"""Limits of the HTTP server, made small, on real sockets: what happens at each of them."""

import asyncio
import contextlib
import logging
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import cast

import pytest
import uvloop

from collector.formats import Formats
from collector.http.data import DataEndpoint
from collector.http.limits import Limits, connections_allowed
from collector.http.server import Server
from collector.lane import Lane
from collector.live.live import Live
from collector.settings import Settings
from tests.builders import reading_json
from tests.identities import OPEN
from tests.integration.http_connection import head

READING = reading_json()
WHOLE = head("POST", "/data", len(READING)) + READING
GET = b"GET /docs HTTP/1.1\r\nHost: collector\r\n\r\n"
LONGEST_S = 20

Client = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Dial = Callable[[], Awaitable[Client]]


@contextlib.asynccontextmanager
async def serving(directory: Path, limits: Limits) -> AsyncIterator[Dial]:
    """Serve without a broker; yields a function that connects."""
    settings = Settings(outbox_path=str(directory / "outbox.db"), max_body_bytes=1 << 20)
    lane = Lane(settings, Formats.of(settings), OPEN)
    server = Server(DataEndpoint(lane, OPEN, settings), lane, Live.of(settings), limits)
    listener = socket.create_server(("127.0.0.1", 0))
    running = asyncio.create_task(server.run_on([listener]))
    writers: list[asyncio.StreamWriter] = []

    async def dial() -> Client:
        reader, writer = await asyncio.open_connection(*listener.getsockname(), limit=1 << 24)
        writers.append(writer)
        return reader, writer

    try:
        yield dial
    finally:
        await server.stop()
        running.cancel()
        for writer in writers:
            writer.transport.abort()
        lane.outbox.close()


def serve(directory: Path, limits: Limits, scenario: Callable[[Dial], Awaitable[None]]) -> None:
    async def run() -> None:
        async with asyncio.timeout(LONGEST_S), serving(directory, limits) as dial:
            await scenario(dial)

    uvloop.run(run())


async def to_the_end(reader: asyncio.StreamReader) -> bytes:
    """Return all that comes until the server closes the connection."""
    received = b""
    with contextlib.suppress(ConnectionError):
        while piece := await reader.read(1 << 16):
            received += piece
    return received


async def drip(client: Client, data: bytes) -> bytes:
    """Send data byte by byte until the server has closed; return what it sent."""
    reader, writer = client
    received = asyncio.create_task(to_the_end(reader))
    for byte in data:
        if received.done():
            break
        with contextlib.suppress(ConnectionError):
            writer.write(bytes([byte]))
        await asyncio.wait([received], timeout=0.05)
    return await received


SHORT = Limits(100, 100, 0.3, 0.3, request_s=0.6, idle_s=0.3, unread_s=0.3, sweep_s=0.05)
PATIENT = SHORT._replace(head_s=60, body_s=60, request_s=60, idle_s=60, unread_s=60)


@pytest.mark.parametrize(
    "part", [b"P", b"\r\nPOST /data HTTP/1.1\r\n", WHOLE[:-1], WHOLE[: -len(READING)], WHOLE + b"G"]
)
def test_half_a_request_is_answered_with_408(tmp_path: Path, part: bytes) -> None:
    async def scenario(dial: Dial) -> None:
        reader, writer = await dial()
        writer.write(part)
        received = await to_the_end(reader)
        assert received.rpartition(b"HTTP/1.1")[2].startswith(b" 408 "), received
        assert b"\r\nconnection: close\r\n" in received

    serve(tmp_path, SHORT, scenario)


@pytest.mark.parametrize("beginning", [b"", b"\r\n", WHOLE, GET])
def test_silence_is_answered_with_silence(tmp_path: Path, beginning: bytes) -> None:
    async def scenario(dial: Dial) -> None:
        reader, writer = await dial()
        writer.write(beginning)
        received = await to_the_end(reader)
        assert received.count(b"HTTP/1.1") == (len(beginning) > 2)
        assert b" 408 " not in received

    serve(tmp_path, SHORT, scenario)


@pytest.mark.parametrize(
    ("limits", "beginning"),
    [
        (PATIENT._replace(head_s=0.3), b"GET / HTTP/1.1\r\nX: "),
        (PATIENT._replace(request_s=0.3), head("POST", "/data", 10_000)),
    ],
)
def test_sending_byte_by_byte_does_not_help(
    tmp_path: Path, limits: Limits, beginning: bytes
) -> None:
    async def scenario(dial: Dial) -> None:
        client = await dial()
        client[1].write(beginning)
        assert (await drip(client, b"x" * 1000)).startswith(b"HTTP/1.1 408 ")

    serve(tmp_path, limits, scenario)


def test_a_slow_body_that_goes_on_is_read(tmp_path: Path) -> None:
    async def scenario(dial: Dial) -> None:
        reader, writer = await dial()
        writer.write(head("POST", "/data", len(READING), Connection="close"))
        for byte in READING:  # 2 s in all, much longer than 0.3
            writer.write(bytes([byte]))
            await asyncio.sleep(0.05)
        assert (await to_the_end(reader)).startswith(b"HTTP/1.1 201 ")

    serve(tmp_path, PATIENT._replace(body_s=0.4), scenario)


def test_a_client_that_does_not_read_is_disconnected(tmp_path: Path) -> None:
    async def scenario(dial: Dial) -> None:
        _, writer = await dial()
        cast("asyncio.Transport", writer.transport).pause_reading()
        while not writer.transport.is_closing():  # set when a write fails
            writer.write(GET * 100)
            await asyncio.sleep(0.01)

    serve(tmp_path, PATIENT._replace(unread_s=0.3), scenario)


def test_a_head_beyond_the_limit_is_refused_before_it_ends(tmp_path: Path) -> None:
    async def scenario(dial: Dial) -> None:
        reader, writer = await dial()
        writer.write(b"POST /data HTTP/1.1\r\nX: " + b"x" * PATIENT.head_bytes)
        assert (await to_the_end(reader)).startswith(b"HTTP/1.1 431 ")

    serve(tmp_path, PATIENT, scenario)


def test_connections_beyond_the_limit_get_503(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario(dial: Dial) -> None:
        clients = [await dial() for _ in range(3)]
        for reader, writer in clients:
            writer.write(WHOLE)
            assert (await reader.readline()).startswith(b"HTTP/1.1 201 ")
        for _ in range(3):
            received = await to_the_end((await dial())[0])
            assert received.startswith(b"HTTP/1.1 503 ")
            assert b"\r\nretry-after: " in received
            assert b"MAX_CONNECTIONS" in received
        clients[0][1].close()
        received = b""
        while b" 201 " not in received:  # once the server has noticed
            reader, writer = await dial()
            writer.write(WHOLE.replace(b"Host", b"Connection: close\r\nHost"))
            received = await to_the_end(reader)

    with caplog.at_level(logging.WARNING):
        serve(tmp_path, PATIENT._replace(connections=3, sweep_s=60), scenario)
    refused = [r for r in caplog.records if "connections refused" in r.message]
    assert len(refused) == 1, "once a second at most"


@pytest.mark.parametrize("what", ["body", "chunks", "head"])
def test_unfinished_requests_beyond_the_memory_get_503(tmp_path: Path, what: str) -> None:
    beginning = {
        "body": head("POST", "/data", 100_000) + b" " * 60_000,
        "chunks": b"POST /data HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
        + b"%x\r\n" % 60_000 + b" " * 60_000,
        "head": b"POST /data HTTP/1.1\r\nX: " + b"x" * 60_000,
    }[what]  # fmt: skip

    async def scenario(dial: Dial) -> None:
        first, second = await dial(), await dial()
        first[1].write(beginning)
        await first[1].drain()
        second[1].write(beginning)
        done, _ = await asyncio.wait(
            [asyncio.create_task(to_the_end(client[0])) for client in (first, second)],
            return_when=asyncio.FIRST_COMPLETED,
        )
        (refused,) = done
        assert refused.result().startswith(b"HTTP/1.1 503 ")
        assert b"\r\nretry-after: " in refused.result()
        reader, writer = await dial()
        writer.write(WHOLE)
        assert (await reader.readline()).startswith(b"HTTP/1.1 201 ")

    serve(tmp_path, PATIENT._replace(held_bytes=100_000, head_bytes=80_000), scenario)


def test_a_refusal_reaches_a_client_that_is_still_sending(tmp_path: Path) -> None:
    async def scenario(dial: Dial) -> None:
        reader, writer = await dial()
        fields = {"Content-Type": "text/plain"}
        writer.write(head("POST", "/data", 10**9, **fields))
        for _ in range(100):
            writer.write(bytes(1 << 16))
            await writer.drain()
        received = await to_the_end(reader)
        assert received.startswith(b"HTTP/1.1 415 ") and received.endswith(b"}")  # noqa: PT018

    serve(tmp_path, PATIENT, scenario)


def test_the_file_descriptors_bound_the_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    limits = {"soft": 1024, "hard": 4096}

    def set_limit(_: int, pair: tuple[int, int]) -> None:
        limits["soft"], limits["hard"] = pair

    monkeypatch.setattr("resource.getrlimit", lambda _: (limits["soft"], limits["hard"]))
    monkeypatch.setattr("resource.setrlimit", set_limit)
    assert connections_allowed(10) == 10
    assert limits["soft"] == 1024
    assert connections_allowed(2000) == 2000
    assert limits["soft"] == 2200
    assert connections_allowed(10_000) == 3896
    assert limits == {"soft": 4096, "hard": 4096}
