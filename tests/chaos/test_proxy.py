"""The proxy's faults, against a server that echoes."""

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
    proxy = Proxy("echo", port=free_port(), upstream=port)
    background.run(proxy.start(), timeout=5)
    yield proxy
    background.run(proxy.close(), timeout=5)
    background.loop.call_soon_threadsafe(server.close)


@pytest.fixture
def client(proxy: Proxy) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=5) as client:
        assert said(client, b"hello") == b"hello"
        yield client


def said(client: socket.socket, what: bytes, *, timeout: float = 5) -> bytes:
    """Send and return what comes back: all of it, or what there is at the timeout or the end."""
    client.settimeout(timeout)
    client.sendall(what)
    heard = b""
    with contextlib.suppress(TimeoutError):
        while len(heard) < len(what) and (piece := client.recv(65536)):
            heard += piece
    return heard


@pytest.mark.parametrize("directions", [("up",), ("down",), ("up", "down")])
def test_a_stall_holds_back_and_goes_on_after_healing(
    proxy: Proxy, client: socket.socket, directions: tuple[Direction, ...]
) -> None:
    proxy.poison(Toxic(Kind.STALL), directions)
    assert said(client, b"one", timeout=0.2) == b""
    proxy.heal()
    client.settimeout(5)
    assert client.recv(100) == b"one"


def test_what_was_swallowed_never_comes_and_the_connection_is_reset(
    proxy: Proxy, client: socket.socket
) -> None:
    proxy.poison(Toxic(Kind.SWALLOW), ("down",))
    assert said(client, b"one", timeout=0.2) == b""
    proxy.heal()
    with pytest.raises(ConnectionResetError):
        client.recv(100)


def test_a_cut_resets_and_refuses_until_healed(proxy: Proxy, client: socket.socket) -> None:
    proxy.cut()
    with pytest.raises(ConnectionResetError):
        client.recv(100)
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=5) as again:
        assert cut_off(again)
    proxy.heal()
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=5) as again:
        assert said(again, b"back") == b"back"


def cut_off(client: socket.socket) -> bool:
    try:
        return client.recv(100) == b""
    except ConnectionResetError:
        return True


def test_a_limit_tears_the_message(proxy: Proxy, client: socket.socket) -> None:
    proxy.poison(Toxic(Kind.LIMIT, size=3), ("up",))
    client.sendall(b"torn in the middle")
    assert cut_off(client)


def test_slices_and_latency_delay_and_change_nothing(proxy: Proxy, client: socket.socket) -> None:
    message = bytes(range(256)) * 4
    proxy.poison(Toxic(Kind.SLICE, size=64, delay_s=0.001))
    assert said(client, message) == message
    proxy.poison(Toxic(Kind.LATENCY, delay_s=0.1), ("down",))
    begin = time.monotonic()
    assert said(client, message) == message
    assert time.monotonic() - begin >= 0.1
