"""Limits of the HTTP server, made small, on real sockets: what happens at each of them."""

import asyncio
import contextlib
import logging
from pathlib import Path
from typing import cast

import pytest

from collector.http.limits import Limits, connections_allowed
from tests.builders import reading_json
from tests.integration.http_connection import head
from tests.integration.http_server import PATIENT, SHORT, Client, Dial, serve, to_the_end

READING = reading_json()
WHOLE = head("POST", "/data", len(READING)) + READING
GET = b"GET /docs HTTP/1.1\r\nHost: collector\r\n\r\n"


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
