"""Each fault of the proxy, in front of an echo server."""

import asyncio
import contextlib
import socket
import time
from collections.abc import Iterator

import pytest

from tests.chaos.background import Background
from tests.chaos.proxy import Direction, Kind, Proxy, Toxic
from tests.stack import free_port


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while chunk := await reader.read(65536):
            writer.write(chunk)
            await writer.drain()
    writer.close()


@pytest.fixture(scope="module")
def background() -> Iterator[Background]:
    with Background() as background:
        yield background


@pytest.fixture
def proxy(background: Background) -> Iterator[Proxy]:
    port = free_port()
    server = background.run(asyncio.start_server(echo, "127.0.0.1", port), timeout=5)
    proxy = Proxy(port=free_port(), upstream=port)
    background.run(proxy.start(), timeout=5)
    yield proxy
    background.run(proxy.close(), timeout=5)
    background.loop.call_soon_threadsafe(server.close)


@pytest.fixture
def client(proxy: Proxy) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=5) as client:
        assert echoed(client, b"hello") == b"hello"
        yield client


def echoed(client: socket.socket, message: bytes, *, timeout: float = 5) -> bytes:
    """Send `message`; return what has come back when it is complete, or at the timeout or end."""
    client.settimeout(timeout)
    client.sendall(message)
    received = b""
    with contextlib.suppress(TimeoutError):
        while len(received) < len(message) and (chunk := client.recv(65536)):
            received += chunk
    return received


@pytest.mark.parametrize("directions", [("up",), ("down",), ("up", "down")])
def test_a_stall_holds_bytes_back_until_healed(
    proxy: Proxy, client: socket.socket, directions: tuple[Direction, ...]
) -> None:
    proxy.apply(Toxic(Kind.STALL), directions)
    assert echoed(client, b"one", timeout=0.2) == b""
    proxy.heal()
    client.settimeout(5)
    assert client.recv(100) == b"one"


def test_swallowed_bytes_never_arrive_and_healing_resets_the_connection(
    proxy: Proxy, client: socket.socket
) -> None:
    proxy.apply(Toxic(Kind.SWALLOW), ("down",))
    assert echoed(client, b"one", timeout=0.2) == b""
    proxy.heal()
    with pytest.raises(ConnectionResetError):
        client.recv(100)


def test_a_cut_resets_every_connection_until_healed(proxy: Proxy, client: socket.socket) -> None:
    proxy.cut()
    with pytest.raises(ConnectionResetError):
        client.recv(100)
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=5) as again:
        assert is_closed(again)
    proxy.heal()
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=5) as again:
        assert echoed(again, b"back") == b"back"


def is_closed(client: socket.socket) -> bool:
    try:
        return client.recv(100) == b""
    except ConnectionResetError:
        return True


def test_a_limit_resets_the_connection_within_a_message(
    proxy: Proxy, client: socket.socket
) -> None:
    proxy.apply(Toxic(Kind.LIMIT, size=3), ("up",))
    client.sendall(b"too long")
    assert is_closed(client)


def test_slices_and_latency_delay_but_do_not_alter_bytes(
    proxy: Proxy, client: socket.socket
) -> None:
    message = bytes(range(256)) * 4
    proxy.apply(Toxic(Kind.SLICE, size=64, delay_s=0.001))
    assert echoed(client, message) == message
    proxy.apply(Toxic(Kind.LATENCY, delay_s=0.1), ("down",))
    begin = time.monotonic()
    assert echoed(client, message) == message
    assert time.monotonic() - begin >= 0.1
