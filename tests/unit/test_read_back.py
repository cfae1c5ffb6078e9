"""Reading back from what is no InfluxDB, or from one that dies in the middle of an answer."""

import re
import socket
import threading
from collections.abc import Callable, Iterator

import pytest

from collector.audit.read_back import ReadBack, spans
from collector.audit.unreachable import InfluxUnreachable
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
            receive(connection)
            # Else the client might send the next request on a connection that is just closing.
            connection.sendall(content.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n", 1))


def receive(connection: socket.socket) -> None:
    """Read a whole request; with some of it unread, closing would take the answer back."""
    request = b""
    while piece := connection.recv(65536):
        request += piece
        head, end, body = request.partition(b"\r\n\r\n")
        length = re.search(rb"(?i)content-length: (\d+)", head)
        if end and len(body) >= int(length[1] if length else 0):
            return


def reading_from(port: int, host: str = "127.0.0.1", timeout_s: float = 60) -> ReadBack:
    return ReadBack(
        {"addresses": (f"{host}:{port}",), "username": None, "password": None, "database": "iot"},
        timeout_s,
    )


def assert_plain(text: str, port: int) -> None:
    """Check that a message is a short line that names the server, and nothing of Python."""
    assert text.startswith(f"InfluxDB at 127.0.0.1:{port} ")
    assert text.isprintable()
    assert len(text) < 200
    for word in ("HTTPConnection", "Error(", "object at 0x", "SELECT", "urllib3", "b'"):
        assert word not in text


@pytest.mark.parametrize("question", QUESTIONS)
@pytest.mark.parametrize("kind", ANSWERS)
def test_whatever_is_answered_it_is_unreachable_or_an_answer(
    server: socket.socket, kind: str, question: str
) -> None:
    thread = threading.Thread(target=answer, args=(server, ANSWERS[kind]))
    thread.start()
    read_back = reading_from(server.getsockname()[1])
    try:
        found = QUESTIONS[question](read_back)
    except InfluxUnreachable as unreachable:
        assert_plain(str(unreachable), server.getsockname()[1])
    else:
        assert (question, found) == ("started", None)
    finally:
        server.shutdown(socket.SHUT_RDWR)
        thread.join()


def status(line: str, content: bytes) -> bytes:
    return f"HTTP/1.1 {line}\r\nContent-Length: {len(content)}\r\n\r\n".encode() + content


PAGE = b"<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n\x1b[31m" + b"<hr>" * 1000


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (
            status("401 Unauthorized", b'{"error":"authorization failed"}'),
            "refuses the account (401): the bridge makes it if it may; otherwise set INFLUX_",
        ),
        (status("404 Not Found", PAGE), "answers HTTP 404 <html> <head><title>502 Bad Gateway"),
        (status("502 Bad Gateway", PAGE), "answers HTTP 5xx <html> <head><title>502 Bad Gateway"),
        (status("502 Bad Gateway", PAGE), "… (not InfluxDB?)"),
        (status("503 Busy", b'{"error":"timeout"}'), "answers HTTP 5xx timeout"),
        (status("200 OK", b'{"results":[{}]}'), "answers what is not an answer of InfluxDB"),
        (ANSWERS["not JSON"], "answers what is not an answer of InfluxDB"),
        (ANSWERS["an error of another kind"], "answers with an error: timeout"),
        (ANSWERS["nothing"], "does not answer: "),
    ],
)
def test_why_it_cannot_be_asked_is_said_in_plain_words(
    server: socket.socket, content: bytes, said: str
) -> None:
    thread = threading.Thread(target=answer, args=(server, content))
    thread.start()
    port = server.getsockname()[1]
    try:
        with pytest.raises(InfluxUnreachable) as raised:
            reading_from(port).kept_since()
    finally:
        server.shutdown(socket.SHUT_RDWR)
        thread.join()
    assert said in str(raised.value)
    assert_plain(str(raised.value), port)


def test_a_server_that_is_not_there_or_is_silent_is_named(server: socket.socket) -> None:
    port = server.getsockname()[1]
    silent = "does not answer: no answer within 0.05 s"
    for read_back, said in (
        (reading_from(port, timeout_s=0.05), f"InfluxDB at 127.0.0.1:{port} {silent}"),
        (reading_from(1), "InfluxDB at 127.0.0.1:1 does not answer: connection refused"),
        (reading_from(1, "a b"), "InfluxDB at a b:1 has no valid address"),
    ):
        with pytest.raises(InfluxUnreachable, match=said):
            read_back.kept_since()
