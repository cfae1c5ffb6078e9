"""Bytes to requests: however they are cut, the same requests come of them."""

import itertools
from http import HTTPStatus

import httptools
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.http.body import Body, ChunkedBody, CountedBody
from collector.http.head import Head, parse
from collector.http.problem import Problem
from collector.http.reader import Reader

LIMIT = 1000


def admit(head: Head) -> Body:
    return ChunkedBody(LIMIT) if head.length is None else CountedBody(head.length)


def requests(*pieces: bytes) -> list[tuple[str, bytes]]:
    """Return path and body of each request, and the status of what ends the connection."""
    reader, found = Reader(LIMIT), []
    for piece in pieces:
        reader.feed(piece)
        try:
            while request := reader.next(admit):
                head, content = request
                found.append((head.path, content))
                if not head.keep_alive:
                    return found
        except Problem as problem:
            return [*found, (str(problem.status.value), b"")]
    return found


BODIES = st.binary(max_size=30)
REQUESTS = st.one_of(
    st.builds(lambda b: b"POST /a HTTP/1.1\r\nContent-Length: %d\r\n\r\n%b" % (len(b), b), BODIES),
    st.builds(lambda b: b"POST /b HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n"
              b"0\r\n\r\n" % (len(b), b), st.binary(min_size=1, max_size=30)),
    st.sampled_from([b"GET /c HTTP/1.1\r\n\r\n", b"\r\n\r\n", b"GET /d HTTP/1.0\r\n\r\n",
                     b"nonsense\r\n\r\n", b"{", b"GET /e HTTP/1.1\r\nUpgrade: h2c\r\n\r\n"]),
)  # fmt: skip


@given(st.lists(REQUESTS, max_size=5).map(b"".join), st.lists(st.integers(0, 400), max_size=6))
def test_the_same_requests_come_of_any_pieces(stream: bytes, cuts: list[int]) -> None:
    edges = [0, *sorted(cut % (len(stream) + 1) for cut in cuts), len(stream)]
    pieces = [stream[a:b] for a, b in itertools.pairwise(edges)]
    assert requests(*pieces) == requests(stream)
    assert requests(*(stream[i : i + 1] for i in range(len(stream)))) == requests(stream)


class Whole:
    """What httptools makes of a whole stream, where the requests are those of one connection."""

    def __init__(self) -> None:
        self.found: list[tuple[str, bytes]] = []

    def on_message_begin(self) -> None:
        self.url = self.body = b""

    def on_url(self, url: bytes) -> None:
        self.url += url

    def on_body(self, body: bytes) -> None:
        self.body += body

    def on_message_complete(self) -> None:
        self.found.append((self.url.decode(), self.body))


@given(st.lists(st.builds(
    lambda b, path: b"POST /%b HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%b"
    % (path, len(b), b), BODIES, st.sampled_from([b"data", b"x"])), max_size=5))  # fmt: skip
def test_a_stream_is_understood_as_by_httptools(stream: list[bytes]) -> None:
    whole = Whole()
    httptools.HttpRequestParser(whole).feed_data(b"".join(stream))
    assert requests(*stream) == requests(b"".join(stream)) == whole.found


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"POST /data HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400),
        (b"POST /data HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
        (b"POST /data HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400),
        (b"POST /data HTTP/1.1\r\nContent-Length: 1 1\r\n\r\n", 400),
        (b"POST /data HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 501),
        (b"POST /data HTTP/1.1\nContent-Length: 1\r\n\r\n", 400),
        (b"POST /data HTTP/2.0\r\n\r\n", 400),
        (b"PRI * HTTP/2.0\r\n\r\n", 400),
        (b"POST /data\r\n\r\n", 400),
        (b"POST http:// HTTP/1.1\r\n\r\n", 400),
        (b"POST /data HTTP/1.1\r\n Host: x\r\n\r\n", 400),
    ],
)
def test_what_is_no_head_is_refused(head: bytes, status: int) -> None:
    with pytest.raises(Problem) as raised:
        parse(head)
    assert raised.value.status == status


def test_an_upgrade_is_a_head_like_others() -> None:
    head = parse(
        b"POST /data HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 7\r\n\r\n"
    )
    assert (head.length, head.keep_alive) == (7, True)
    assert head.terms


def test_a_head_beyond_the_limit_is_refused() -> None:
    for end in (b"", b"\r\n\r\n"):
        reader = Reader(LIMIT)
        reader.feed(b"GET / HTTP/1.1\r\nX: " + b"x" * LIMIT + end)
        with pytest.raises(Problem, match="head is larger") as raised:
            reader.next(admit)
        assert raised.value.status == HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE


@pytest.mark.parametrize("first", [b"\x16", b"{", b"\0", b" "])
def test_what_cannot_begin_a_head_is_refused_at_once(first: bytes) -> None:
    reader = Reader(LIMIT)
    reader.feed(first)
    with pytest.raises(Problem, match="not an HTTP"):
        reader.next(admit)
