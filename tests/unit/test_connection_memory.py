"""What an ended connection leaves behind, until cyclic garbage is collected, is small."""
# ruff: noqa: SLF001  the deadline of a request's body

import asyncio
import gc
import tracemalloc
import weakref
from collections.abc import Iterator
from pathlib import Path

import pytest

from collector.http.limits import Limits
from collector.http.reader import Reader
from tests.unit.http_model import READING, Server, Wire, post

SIZE = 100_000
COUNT = 50
MOST_BYTES = COUNT * SIZE // 5
"""Other things of as many connections take less."""

CHUNKED = (
    b"POST /data HTTP/1.1\r\nHost: c\r\nAuthorization: Bearer secret\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n%x\r\n" % SIZE
)
SPACED = READING.ljust(SIZE)
STREAMS = {
    "part of a body": post(SPACED)[:-1],
    "part of a chunk": CHUNKED + SPACED[:-1],
    "a whole chunked body": CHUNKED + SPACED + b"\r\n0\r\n\r\n",
    "a broken chunk": CHUNKED + SPACED + b"\r\nzz\r\n",
    "a whole body and part of another": post(SPACED) + post(SPACED)[:-1],
}


@pytest.fixture
def _no_collections() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def held_bytes(directory: Path, stream: bytes, *, lost: bool) -> int:
    """Return the memory that COUNT connections with this stream leave, lost or just ended."""

    async def run() -> int:
        server = Server(directory, Limits(COUNT, COUNT), max_body_bytes=SIZE)
        wires: list[Wire] = []
        await send(server, wires)  # what is needed once
        tracemalloc.start()
        for _ in range(COUNT):
            await send(server, wires)
        held, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        server.close()
        return held

    async def send(server: Server, wires: list[Wire]) -> None:
        connection, wire = server.dial()
        wires.append(wire)
        for start in range(0, len(stream), SIZE // 3):
            connection.data_received(stream[start : start + SIZE // 3])
        await server.settle_down(wire)
        assert lost or wire.closed
        if lost:
            connection.connection_lost(None)

    return asyncio.run(run())


@pytest.mark.usefixtures("_no_collections")
@pytest.mark.parametrize("name", STREAMS)
def test_a_lost_connection_holds_no_body(tmp_path: Path, name: str) -> None:
    assert held_bytes(tmp_path, STREAMS[name], lost=True) < MOST_BYTES


@pytest.mark.usefixtures("_no_collections")
@pytest.mark.parametrize("name", ["a broken chunk", "a whole chunked body"])
def test_a_connection_that_lingers_after_its_last_response_holds_no_body(
    tmp_path: Path, name: str
) -> None:
    assert held_bytes(tmp_path, STREAMS[name], lost=False) < MOST_BYTES


@pytest.mark.usefixtures("_no_collections")
@pytest.mark.parametrize("name", STREAMS)
def test_without_letting_go_it_would_be_seen(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Reader, "clear", lambda _: None)
    monkeypatch.setattr("collector.http.reader._take", lambda body: body.content)
    assert held_bytes(tmp_path, STREAMS[name], lost=True) > MOST_BYTES


@pytest.mark.usefixtures("_no_collections")
@pytest.mark.parametrize("name", STREAMS)
def test_a_lost_connection_is_gone_at_once(tmp_path: Path, name: str) -> None:
    """Its transport holds some 300 KB with TLS, and would wait for a collection with it."""

    async def run() -> None:
        server = Server(tmp_path, Limits(COUNT, COUNT), max_body_bytes=SIZE)
        connection, wire = server.dial()
        connection.data_received(STREAMS[name])
        await server.settle_down(wire)
        connection.connection_lost(None)
        del wire.protocol  # as transports do
        gone = weakref.ref(connection)
        assert gone() is connection  # the control
        del connection, wire
        await asyncio.sleep(0)
        assert gone() is None
        server.close()

    asyncio.run(run())


@pytest.mark.parametrize("head", [post(READING, "Expect: 100-continue"), CHUNKED])
def test_the_deadline_of_a_body_stays_after_a_pause(tmp_path: Path, head: bytes) -> None:
    async def run() -> None:
        server = Server(tmp_path, Limits(COUNT, COUNT))
        connection, _ = server.dial()
        connection.data_received(head[: head.index(b"\r\n\r\n") + 4])
        connection._body_ends = asyncio.get_running_loop().time() + 3
        connection.pause_writing()
        connection.resume_writing()
        assert connection.deadline < connection._body_ends + 1
        server.close()

    asyncio.run(run())
