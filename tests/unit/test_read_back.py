"""Reading back from what is no InfluxDB, or from one that dies in the middle of an answer."""

import socket
import threading
from collections.abc import Callable, Iterator

import pytest

from collector.audit.read_back import InfluxUnreachable, ReadBack, spans
from collector.outbox.row import Row

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: %b\r\n"
CHUNKED = HEAD % b"application/json" + b"Transfer-Encoding: chunked\r\n\r\n"


def whole(content: bytes, media_type: bytes = b"application/json") -> bytes:
    return HEAD % media_type + b"Content-Length: %d\r\n\r\n" % len(content) + content


ANSWERS = {
    "nothing": b"",
    "not HTTP": b"\x00\xff\x00",
    "half a head": b"HTTP/1.1 200",
    "a chunk that ends early": CHUNKED + b'ff\r\n{"system": {"sta',
    "a chunk without a length": CHUNKED + b"zz\r\n",
    "less than announced": whole(b"{}")[:-1],
    "not JSON": whole(b"<html>"),
    "not UTF-8": whole(b'{"results":[{"error":"\xff"}], "started": "\xff"}'),
    "deep JSON": whole(b"[" * 100_000),
    "no result": whole(b'{"results":[]}'),
    "short rows": whole(b'{"results":[{"series":[{"values":[[1]]}]}]}'),
    "rows of others": whole(b'{"results":[{"series":[{"values":[["a","b"]]}]}]}'),
    "broken msgpack": whole(b"\xc1", b"application/x-msgpack"),
    "an error of another kind": whole(b'{"results":[{"error":"timeout"}]}'),
}
QUESTIONS: dict[str, Callable[[ReadBack], object]] = {
    "started": ReadBack.started,
    "kept since": ReadBack.kept_since,
    "values": lambda read_back: list(read_back.values(list(spans([Row(1, 0, 5, "1/t", b"{}")])))),
}


@pytest.fixture
def server() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener


def answer(listener: socket.socket, content: bytes) -> None:
    """Give each connection this answer, until the listener is closed."""
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        with connection:
            connection.recv(65536)
            connection.sendall(content)


@pytest.mark.parametrize("question", QUESTIONS)
@pytest.mark.parametrize("kind", ANSWERS)
def test_whatever_is_answered_it_is_unreachable_or_an_answer(
    server: socket.socket, kind: str, question: str
) -> None:
    thread = threading.Thread(target=answer, args=(server, ANSWERS[kind]))
    thread.start()
    read_back = ReadBack(
        {
            "host": "127.0.0.1",
            "port": server.getsockname()[1],
            "username": None,
            "password": None,
            "database": "iot",
        }
    )
    try:
        found = QUESTIONS[question](read_back)
    except InfluxUnreachable as unreachable:
        assert str(unreachable)  # noqa: PT017  either may happen
    else:
        assert question == "started" or (question == "kept since" and kind == "rows of others")
        assert found in (None, 0)
    finally:
        server.shutdown(socket.SHUT_RDWR)
        thread.join()
