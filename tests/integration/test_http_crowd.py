"""Ten thousand connections that do nothing, and a sender who goes on."""

import contextlib
import resource
import socket
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.builders import reading
from tests.integration.posting import client, send
from tests.integration.test_https import Https
from tests.stack import Collector, free_port, wait_for

MOST = 10_000
BEYOND = 300
DESCRIPTORS = MOST + 1_000
KEPT = httpx.Limits(keepalive_expiry=None)  # by default, its connection is closed after 5 s


@pytest.fixture(autouse=True)
def _descriptors() -> Iterator[None]:
    """Let these tests, and what they start, have as many connections."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < DESCRIPTORS:
        pytest.fail(f"the hard limit of open files is {hard}, and {DESCRIPTORS} are needed")
    resource.setrlimit(resource.RLIMIT_NOFILE, (DESCRIPTORS, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@contextlib.contextmanager
def crowd(port: int, first: bytes) -> Iterator[list[socket.socket]]:
    """Open more connections than are allowed; each sends a beginning, and nothing more."""
    with contextlib.ExitStack() as stack:
        found = []
        for number in range(MOST + BEYOND):
            connection = stack.enter_context(socket.socket())
            connection.bind((f"127.0.0.{2 + number % 200}", 0))
            connection.connect(("127.0.0.1", port))
            with contextlib.suppress(ConnectionError):  # it was one too many
                connection.sendall(first)
            found.append(connection)
        yield found


@pytest.mark.parametrize("first", [b"", b"POST /data HTTP/1.1\r\nContent-Le"])
def test_who_is_connected_goes_on_and_others_come_back(tmp_path: Path, first: bytes) -> None:
    collector = Collector(tmp_path, mqtt_port=free_port(), influx_port=free_port())
    with collector, client(collector, limits=KEPT) as http:
        assert send(http, reading("early")).status_code == 201
        with crowd(collector.port, first) as others:
            for _ in range(100):
                assert send(http, reading("early")).status_code == 201
            others[-1].settimeout(10)
            with contextlib.suppress(ConnectionResetError):
                assert b" 201 " not in others[-1].recv(1000)
        with client(collector) as late:
            wait_for(lambda: send(late, reading("late")).status_code == 201, what="room")
        assert "connections refused: 10000 connections are open" in collector.log_text()


def test_handshakes_that_never_end_leave_room_for_others(tmp_path: Path) -> None:
    https = Https(tmp_path)
    https.collector.env["MAX_CONNECTIONS"] = str(MOST)
    with https.collector, https.client(limits=KEPT) as http:
        assert send(http, reading("early")).status_code == 201
        with crowd(https.collector.port, b"\x16\x03\x01"):
            for _ in range(100):
                assert send(http, reading("early")).status_code == 201
            # They have ten seconds each; the control is that there is no room until then.
            with https.client() as late:
                wait_for(lambda: _is_taken(late), what="room")


def _is_taken(http: httpx.Client) -> bool:
    try:
        return send(http, reading("late")).status_code == 201
    except httpx.TransportError:
        return False
