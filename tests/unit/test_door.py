"""The door of a port with TLS, with real sockets and a protocol behind it that repeats."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.http import door
from collector.http.certificate import Certificate
from collector.http.connections import Connections
from collector.http.door import Door
from collector.http.limits import Limits
from tests.certificates import Authority
from tests.integration.client import LOOPS, run, until

LIMITS = Limits(10, 10, head_s=0.2, linger_s=0.2, sweep_s=0.05)


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("door")


class Echo(asyncio.Protocol):
    """Repeats what arrives."""

    def __init__(self, connections: Connections) -> None:
        self.deadline, self.held, self.address = float("inf"), 0, "echo"
        self._connections = connections

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._connections.add(self)  # type: ignore[arg-type]

    def data_received(self, data: bytes) -> None:
        self._transport.write(data)

    def connection_lost(self, _: Exception | None) -> None:
        self._connections.discard(self)  # type: ignore[arg-type]


class Rig:
    """A port with a door."""

    def __init__(self, port: int, connections: Connections, authority: Authority) -> None:
        self.port = port
        self.connections = connections
        self.context = ssl.create_default_context(cafile=authority.path)

    @property
    def open(self) -> int:
        return len(self.connections._open)  # noqa: SLF001

    async def dial(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self.port)


@asynccontextmanager
async def rig(directory: Path) -> AsyncIterator[Rig]:
    authority = Authority(directory)
    chain, key = authority.issue("localhost")
    chain.rename(directory / "server.crt")
    key.rename(directory / "server.key")
    connections = Connections(LIMITS)
    certificate = Certificate(directory, "localhost")
    server = await asyncio.get_running_loop().create_server(
        lambda: Door(certificate, connections, lambda: Echo(connections)), "127.0.0.1", 0
    )
    sweep = asyncio.create_task(connections.sweep())
    async with server:
        yield Rig(server.sockets[0].getsockname()[1], connections, authority)
    sweep.cancel()


async def some(reader: asyncio.StreamReader) -> bytes:
    async with asyncio.timeout(5):
        data = await reader.read(65536)
    assert data, "the connection ended"
    return data


async def send_slowly(rig: Rig, data: bytes, size: int) -> bytes:
    """Shake hands, with its end send `data`, `size` bytes at a time; return the answer."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = rig.context.wrap_bio(incoming, outgoing, server_hostname="localhost")
    reader, writer = await rig.dial()

    async def flush() -> None:
        pending = outgoing.read()
        for start in range(0, len(pending), size):
            writer.write(pending[start : start + size])
            await asyncio.sleep(0)

    while True:
        try:
            tls.do_handshake()
            break
        except ssl.SSLWantReadError:
            await flush()
            incoming.write(await some(reader))
    tls.write(data)
    await flush()
    answer = b""
    while len(answer) < len(data):
        try:
            answer += tls.read(65536)
        except ssl.SSLWantReadError:
            incoming.write(await some(reader))
    writer.close()
    return answer


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("size", [1, 7, 100_000])
def test_what_comes_with_the_end_of_the_handshake_arrives(
    tmp_path: Path, loop: str, size: int
) -> None:
    data = bytes(range(256)) * 40

    async def scenario() -> None:
        async with rig(tmp_path) as here:
            assert await send_slowly(here, data, size) == data
            await until(lambda: not here.open)

    run(scenario(), loop)


@pytest.mark.parametrize("loop", LOOPS)
def test_plain_text_is_this_machines_alone(
    tmp_path: Path, loop: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = b"POST /data HTTP/1.1\r\n\r\n"

    async def ask(here: Rig) -> bytes:
        reader, writer = await here.dial()
        writer.write(request)
        writer.write_eof()
        answer = await reader.read()
        writer.close()
        await until(lambda: not here.open)
        return answer

    async def scenario() -> None:
        async with rig(tmp_path) as here:
            assert await ask(here) == request
            monkeypatch.setattr(door, "is_loopback", lambda _: False)
            answer = await ask(here)
            assert answer.startswith(b"HTTP/1.1 400 Bad Request\r\n")
            assert b"this port speaks HTTPS" in answer

    run(scenario(), loop)


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize(
    "sent",
    [b"", b"\x16", b"\x16\x03\x01\x02\x00\x01", b"\x16" + bytes(3_000_000), b"\x16GET / HTTP"],
)
@pytest.mark.parametrize("ends", [False, True])
def test_who_does_not_finish_is_forgotten(
    tmp_path: Path, loop: str, sent: bytes, *, ends: bool
) -> None:
    async def scenario() -> None:
        async with rig(tmp_path) as here:
            reader, writer = await here.dial()
            await until(lambda: here.open == 1)
            writer.write(sent)
            if ends:
                writer.close()
            await until(lambda: not here.open)
            with pytest.raises((ConnectionError, AssertionError)):
                async with asyncio.timeout(5):
                    assert await reader.read() == b"let in"
            writer.close()
            assert await send_slowly(here, b"the next", 100) == b"the next"

    run(scenario(), loop)


@pytest.mark.parametrize("loop", LOOPS)
def test_too_many_are_closed(tmp_path: Path, loop: str) -> None:
    async def scenario() -> None:
        async with rig(tmp_path) as here:
            held = [await here.dial() for _ in range(LIMITS.connections)]
            await until(lambda: here.open == len(held))
            reader, writer = await here.dial()
            with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
                async with asyncio.timeout(0.1):  # sooner than the others
                    await reader.readexactly(1)
            for _, each in [*held, (reader, writer)]:
                each.close()
            await until(lambda: not here.open)

    run(scenario(), loop)


@settings(max_examples=60, deadline=None)
@given(
    pieces=st.lists(st.binary(min_size=1, max_size=300), min_size=1, max_size=6), tls=st.booleans()
)
def test_arbitrary_bytes_leave_nothing(pieces: list[bytes], directory: Path, *, tls: bool) -> None:
    async def scenario() -> None:
        async with rig(directory) as here:
            _, writer = await here.dial()
            for piece in [b"\x16\x03\x01", *pieces] if tls else pieces:
                if not writer.is_closing():  # by the door
                    writer.write(piece)
                await asyncio.sleep(0)
            writer.close()
            await until(lambda: not here.open)
            assert await send_slowly(here, b"the next", 100) == b"the next"

    run(scenario())
