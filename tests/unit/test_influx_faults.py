"""What answers at one of several addresses instead of an InfluxDB does not hold up the others."""

import asyncio
import contextlib
import itertools
import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest
import requests
from influxdb import InfluxDBClient
from influxdb.exceptions import InfluxDBClientError

from bridge.storage import Outcome
from bridge.storage.influxdb import InfluxStorage
from collector.audit.read_back import ReadBack
from collector.audit.unreachable import InfluxUnreachable
from telemetry import influx, influx_session
from telemetry.settings import InfluxAccess

TIMEOUT_S = 0.5
STORED = b"HTTP/1.1 204 No Content\r\n\r\n"

Answer = Callable[[], Iterator[bytes]]


class Server:
    """Answers /ping with 204, and everything else as it is told to."""

    def __init__(self, answer: Answer) -> None:
        self.paths: list[str] = []
        self.answers: dict[str, Answer] = {"/ping": lambda: iter([STORED])}
        self._other = answer
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # the test has ended
            while True:
                connection, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, connection.makefile("rb") as asked, contextlib.suppress(OSError):
            while line := asked.readline():
                path = line.split()[1].decode().partition("?")[0]
                length = 0
                while (header := asked.readline().lower()) != b"\r\n":
                    if header.startswith(b"content-length:"):
                        length = int(header.split()[1])
                asked.read(length)
                self.paths.append(path)
                for piece in self.answers.get(path, self._other)():
                    connection.sendall(piece)

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


def with_body(status: str, body: bytes, kind: str = "application/json") -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def redirect() -> Iterator[bytes]:
    yield b"HTTP/1.1 302 Found\r\nLocation: /ping\r\nContent-Length: 0\r\n\r\n"


def trickling() -> Iterator[bytes]:
    """Yield an answer that arrives in time, piece by piece, but not as a whole."""
    yield b"HTTP/1.1 204 No Content\r\nX-Long: "
    ends_at = time.monotonic() + 10 * TIMEOUT_S
    while time.monotonic() < ends_at:
        yield b"a"
        time.sleep(0.02)
    yield b"\r\n\r\n"


@contextlib.contextmanager
def serving(answer: Answer) -> Iterator[Server]:
    server = Server(answer)
    try:
        yield server
    finally:
        server.close()


@pytest.fixture
def good() -> Iterator[Server]:
    with serving(lambda: iter([STORED])) as server:
        yield server


def access(*addresses: str) -> InfluxAccess:
    return InfluxAccess(addresses=addresses, username=None, password=None, database="iot")


@contextlib.contextmanager
def client_of(*addresses: str) -> Iterator[InfluxDBClient]:
    client = influx.client(access(*addresses), TIMEOUT_S)
    try:
        yield client
    finally:
        client.close()


def write(client: InfluxDBClient) -> None:
    client.write(["a"], {"db": "iot"}, protocol="line")


def test_a_redirect_is_not_followed() -> None:
    with serving(redirect) as server, client_of(server.address) as client:
        with pytest.raises(InfluxDBClientError, match="302"):
            write(client)
        assert server.paths == ["/write"]


@pytest.mark.parametrize(
    "answer",
    [
        next(redirect()),
        with_body("404 Not Found", b"404 page not found", "text/plain"),
        with_body("404 Not Found", b'{"error":"x"}'),
        with_body("429 Too Many Requests", b'{"error":"x"}'),
        with_body("200 OK", b"<html>login</html>", "text/html; charset=utf-8"),
        with_body("403 Forbidden", b"<html>login</html>", "text/html"),
    ],
    ids=["redirect", "404", "404 JSON", "429", "200 page", "403 page"],
)
def test_what_is_no_answer_of_an_influxdb_fails(answer: bytes, good: Server) -> None:
    with (
        serving(lambda: iter([answer])) as server,
        client_of(server.address, good.address) as client,
    ):
        with pytest.raises(InfluxDBClientError):
            write(client)
        write(client)
        assert (server.paths.count("/write"), good.paths.count("/write")) == (1, 1)


@pytest.mark.parametrize(
    "answer",
    [
        with_body("404 Not Found", b'{"error":"database not found: \\"iot\\""}'),
        with_body("400 Bad Request", b'{"error":"unable to parse \'a\'"}'),
    ],
    ids=["404", "400"],
)
def test_what_an_influxdb_says_of_a_request_is_no_failure(answer: bytes, good: Server) -> None:
    with (
        serving(lambda: iter([answer])) as server,
        client_of(server.address, good.address) as client,
    ):
        for _ in range(2):
            with pytest.raises(InfluxDBClientError):
                write(client)
        assert (server.paths.count("/write"), good.paths) == (2, [])


@pytest.mark.parametrize("name", ["a..b:1", "*:1", f"{'x' * 70}:1", "\ud800:1"])
def test_an_address_that_cannot_be_asked_is_left_for_the_next(name: str, good: Server) -> None:
    with client_of(name, good.address) as client:
        write(client)
    assert good.paths == ["/ping", "/write"]
    with client_of(name) as client, pytest.raises(requests.RequestException):
        write(client)


def test_headers_without_end_are_given_up(good: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(influx_session, "_PING_S", 10)
    with serving(trickling) as server, client_of(server.address, good.address) as client:
        write(client)
        assert influx.asked(client).endswith(good.address)
        assert (server.paths, good.paths) == (["/ping", "/write"], ["/ping", "/write"])


def test_a_ping_without_end_is_given_up(good: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(influx_session, "_PING_S", TIMEOUT_S)
    with serving(redirect) as server, client_of(server.address, good.address) as client:
        server.answers["/ping"] = trickling
        write(client)
        assert (server.paths, good.paths) == (["/ping"], ["/ping", "/write"])


def test_an_error_in_answer_to_a_ping_lets_the_address_rest(good: Server) -> None:
    with serving(redirect) as server, client_of(server.address, good.address) as client:
        server.answers["/ping"] = lambda: iter([with_body("503 Service Unavailable", b"")])
        for _ in range(3):
            write(client)
        assert (server.paths, good.paths.count("/write")) == (["/ping"], 3)


def test_a_node_that_trickles_when_asked_since_when_it_runs_is_unreachable() -> None:
    def vars_without_end() -> Iterator[bytes]:
        yield b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n"
        yield from itertools.islice(trickling(), 1, None)

    with (
        serving(vars_without_end) as server,
        pytest.raises(InfluxUnreachable, match=f"{server.address} does not answer: not in time"),
    ):
        ReadBack(access(server.address), TIMEOUT_S).started()


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (next(redirect()), "no answer of an InfluxDB: 302, a redirect, which is not followed"),
        (with_body("200 OK", b"<html>", "text/html"), "no answer of an InfluxDB: 200 <html>"),
        (with_body("429 Too Many Requests", b'{"error":"x"}'), "429 x"),
    ],
    ids=["redirect", "200 page", "429"],
)
def test_the_bridge_says_which_address_answers_so(answer: bytes, said: str, good: Server) -> None:
    with serving(lambda: iter([answer])) as server:
        storage = InfluxStorage(access(server.address, good.address))
        result = asyncio.run(storage.write(["a"]))
        assert result == (Outcome.WAIT, f"{said} (InfluxDB at {server.address})", None, False)
        assert asyncio.run(storage.write(["a"])).outcome is Outcome.STORED
        storage.close()


def test_a_page_instead_of_an_answer_to_a_query_is_said_to_be_none() -> None:
    page = with_body("200 OK", b"<html>", "text/html")
    with serving(lambda: iter([page])) as server:
        storage = InfluxStorage(access(server.address))
        result = asyncio.run(storage.prepare())
        assert result[:2] == (Outcome.WAIT, "no answer of an InfluxDB")
        storage.close()
