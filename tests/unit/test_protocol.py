"""A request that goes the short way is answered as uvicorn's own way would answer it."""
# ruff: noqa: SLF001  SQLite's own setting

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

import pytest
import uvicorn
from hypothesis import given
from hypothesis import strategies as st
from uvicorn.server import ServerState

from collector.app import App
from collector.endpoint import DataEndpoint
from collector.outbox import Outbox
from collector.protocol import HEADS, Head, Protocol
from collector.publisher import Publisher
from collector.settings import Settings
from collector.tokens import Tokens

STILL = 15
"""Turns of the loop within which something is sent, if anything is."""


class Forgetful(dict[bytes, Head]):
    """Remembers nothing, so that each request goes uvicorn's way."""

    def __setitem__(self, key: bytes, value: Head) -> None:
        """Forget it."""


class Wire:
    """A transport that keeps what was sent, piece by piece."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []
        self.closed = False

    def write(self, data: bytes) -> None:
        """Keep it, unless the connection is closed."""
        if not self.closed:
            self.sent.append(data)

    def close(self) -> None:
        """Note it."""
        self.closed = True

    def is_closing(self) -> bool:
        """Whether it was closed."""
        return self.closed

    def get_extra_info(self, _: str) -> None:
        """Know nothing."""

    def pause_reading(self) -> None:
        """Do nothing: what a test sends has been read already."""

    resume_reading = pause_reading


class Server:
    """A collector without sockets."""

    def __init__(self, directory: Path, heads: dict[bytes, Head]) -> None:
        self.heads = heads
        self.outbox = Outbox(directory / "outbox.db", max_bytes=1 << 30, keep_s=60)
        self.outbox._db.execute("PRAGMA synchronous = OFF")  # many a commit, and no crash here
        publisher = Publisher(self.outbox, lambda *_: 0)
        tokens_file = directory / "tokens"
        tokens_file.write_text("secret 1\n")
        tokens = Tokens.load(str(tokens_file))
        settings = Settings(max_body_bytes=1000)
        self.endpoint = DataEndpoint(self.outbox, tokens, publisher.wait_settled, settings)
        app = App(self.endpoint, self.outbox, publisher)
        self.config = uvicorn.Config(app, log_config=None, lifespan="off", ws="none")
        self.config.load()
        self.state = ServerState()

    def dial(self) -> tuple[Protocol, Wire]:
        """Open a connection."""
        wire = Wire()
        protocol = Protocol(
            self.endpoint, self.heads, config=self.config, server_state=self.state, app_state={}
        )
        protocol.connection_made(cast("Any", wire))
        return protocol, wire

    async def answers(self, pieces: list[bytes], *, hurry: bool) -> tuple[bytes, bool, int]:
        """Return what comes back on a new connection, whether it is closed, readings accepted.

        In a hurry the pieces come while earlier ones may still wait for their answer.
        """
        before = self.outbox.last
        protocol, wire = self.dial()
        for piece in pieces:
            if not wire.closed:
                protocol.data_received(piece)
            if not hurry:
                await self.rest(wire)
        await self.rest(wire)
        if not wire.closed:
            protocol.connection_lost(None)
        return b"".join(wire.sent), wire.closed, self.outbox.last - before

    async def rest(self, wire: Wire) -> None:
        """Wait until nothing more happens."""
        seen, still = len(wire.sent), 0
        while still < STILL:
            await asyncio.sleep(0)
            still = still + 1 if len(wire.sent) == seen else 0
            seen = len(wire.sent)

    def close(self) -> None:
        """Leave the file."""
        self.outbox.close()


def post(body: bytes, *fields: str, path: str = "/data", length: int | None = None) -> bytes:
    """Return a POST with these header fields and this body."""
    size = len(body) if length is None else length
    head = [f"POST {path} HTTP/1.1", "Host: c", "Authorization: Bearer secret", *fields]
    return "\r\n".join([*head, f"Content-Length: {size}", "", ""]).encode() + body


def reading(sensor: int = 1, value: str = "21.5") -> bytes:
    """Return a reading as JSON; the token is for sensor 1."""
    return b'{"type":"t","value":%b,"sensor_id":%d}' % (value.encode(), sensor)


GOOD = post(reading())
REQUESTS = {
    "good": GOOD,
    "another good one": post(reading(value="22.5")),
    "a shorter good one": post(reading(value="1")),
    "batch": post(b"[" + reading() + b"," + reading() + b"]"),
    "lines": post(reading() + b"\n", "Content-Type: application/x-ndjson"),
    "gzip that is none": post(reading(), "Content-Encoding: gzip"),
    "not JSON, of the same length": post(reading().replace(b"}", b"]")),
    "invalid, of the same length": post(reading(value="true")),
    "another's sensor": post(reading(2)),
    "no body": post(b""),
    "empty batch": post(b"[]"),
    "too large": post(b" " * 1001),
    "another form": post(reading(), "Content-Type: text/plain"),
    "a query": post(reading(), path="/data?ack=committed"),
    "a bad query": post(reading(), path="/data?ack=x"),
    "elsewhere": post(reading(), path="/data/"),
    "expects 100": post(reading(), "Expect: 100-continue"),
    "closes": post(reading(), "Connection: close"),
    "upgrade": post(reading(), "Connection: upgrade", "Upgrade: h2c"),
    "HTTP/1.0": GOOD.replace(b"HTTP/1.1", b"HTTP/1.0"),
    "HTTP/1.0 to be kept": post(reading(), "Connection: keep-alive").replace(b"1.1", b"1.0"),
    "PUT": GOOD.replace(b"POST", b"PUT"),
    "chunks": b"POST /data HTTP/1.1\r\nHost: c\r\nAuthorization: Bearer secret\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(reading()), reading()),
    "GET": b"GET /healthz HTTP/1.1\r\nHost: c\r\n\r\n",
    "GET /data": b"GET /data HTTP/1.1\r\nHost: c\r\nContent-Length: 0\r\n\r\n",
    "a request in a body": post(GOOD, "Content-Type: text/plain"),
    "a request in a body that is accepted": post(b'"%b"' % GOOD.replace(b"\r\n", b"  ")),
    "a newline before": b"\r\n" + GOOD,
    "no head": reading(),
    "half a head": GOOD[GOOD.index(b"HTTP") :],
    "both lengths": post(reading(), "Transfer-Encoding: chunked"),
    "no token": GOOD.replace(b"secret", b"sesame"),
}


NO_HTTP = {"no head", "half a head", "both lengths", "a newline before", "upgrade"}
"""Where the connection is closed on what is not HTTP, earlier requests may lose their answers."""


def both(scenario: Callable[[Server, Server], Awaitable[None]]) -> None:
    """Run it with a server that goes the short way where it can and one that never does."""

    async def run() -> None:
        with TemporaryDirectory() as a, TemporaryDirectory() as b:
            short, long = Server(Path(a), {}), Server(Path(b), Forgetful())
            await short.answers([GOOD], hurry=False)
            assert short.heads
            await scenario(short, long)
            short.close()
            long.close()

    asyncio.run(run())


@pytest.mark.parametrize("first", REQUESTS)
def test_each_request_after_each_other_is_answered_the_same(first: str) -> None:
    async def scenario(short: Server, long: Server) -> None:
        a = REQUESTS[first]
        for b in REQUESTS.values():
            cuts = [1, b.find(b"HTTP"), b.find(b"\r\n\r\n") + 4, len(b) - 1]
            streams = [[a, b], [a + b], *([a, b[:cut], b[cut:]] for cut in cuts)]
            streams += [[a, b[:cut], b[cut:] + a] for cut in cuts]
            for stream in streams:
                pieces = [piece for piece in stream if piece]
                expected = await long.answers(pieces, hurry=False)
                assert await short.answers(pieces, hurry=False) == expected, pieces

    both(scenario)


def streams() -> st.SearchStrategy[list[list[bytes]]]:
    """Return requests one after the other, some cut in two, some joined with the next."""

    def pieces(requests: list[tuple[str, float, bool]]) -> list[bytes]:
        cut = [b""]
        for name, at, joined in requests:
            request = REQUESTS[name]
            where = int(at * len(request))
            cut[-1] += request[:where]
            cut += [request[where:]] if joined else [request[where:], b""]
        return [piece for piece in cut if piece]

    others = sorted(set(REQUESTS) - NO_HTTP)
    names = st.one_of(st.just("good"), st.sampled_from(others))
    places = st.one_of(st.just(0.0), st.floats(0, 1))
    stream = st.lists(st.tuples(names, places, st.booleans()), max_size=8).map(pieces)
    return st.lists(stream, min_size=1, max_size=4)


@given(streams())
def test_requests_in_a_hurry_are_answered_the_same(streams: list[list[bytes]]) -> None:
    async def scenario(short: Server, long: Server) -> None:
        for pieces in streams:
            expected = await long.answers(pieces, hurry=True)
            assert await short.answers(pieces, hurry=True) == expected

    both(scenario)


@pytest.mark.parametrize(
    ("fault", "status"), [("query_only = ON", b"500"), ("max_page_count = 1", b"503")]
)
def test_a_commit_that_fails_is_told_the_same(fault: str, status: bytes) -> None:
    async def scenario(short: Server, long: Server) -> None:
        large = post(b"[" + b",".join([reading()] * 20) + b"]")
        answers = []
        for server in (short, long):
            await server.answers([large], hurry=False)
            server.outbox._db.execute(f"PRAGMA {fault}")
            answers.append(await server.answers([large] * 3, hurry=False))
        assert answers[0] == answers[1]
        assert answers[0][0].startswith(b"HTTP/1.1 " + status), answers

    both(scenario)


def test_an_end_meanwhile_closes_the_connection_after_the_answer() -> None:
    async def scenario(short: Server, _: Server) -> None:
        protocol, wire = short.dial()
        protocol.data_received(GOOD)
        protocol.shutdown()
        assert not wire.closed
        await short.rest(wire)
        assert wire.closed
        assert len(wire.sent) == 1
        assert wire.sent[0].startswith(b"HTTP/1.1 201 Created\r\n")
        assert b"\r\nconnection: close\r\n" in wire.sent[0]

    both(scenario)


def test_whoever_leaves_before_the_answer_costs_nothing() -> None:
    async def scenario(short: Server, _: Server) -> None:
        protocol, wire = short.dial()
        protocol.data_received(GOOD)
        wire.closed = True
        protocol.connection_lost(None)
        before = short.outbox.last
        await short.rest(wire)
        assert (wire.sent, short.outbox.last) == ([], before + 1)

    both(scenario)


def test_whoever_does_not_read_answers_gets_no_more_of_them_for_now() -> None:
    async def scenario(short: Server, _: Server) -> None:
        protocol, wire = short.dial()
        protocol.pause_writing()
        protocol.data_received(GOOD)
        await short.rest(wire)
        assert wire.sent == []
        protocol.resume_writing()
        await short.rest(wire)
        assert b"".join(wire.sent).endswith(b"Created")

    both(scenario)


def test_only_so_many_heads_are_remembered() -> None:
    async def scenario(short: Server, _: Server) -> None:
        known = short.heads[GOOD[: GOOD.index(b"{")]]
        short.heads.update((b"%d" % number, known) for number in range(HEADS - 1))
        await short.answers([post(reading(), "X: y")], hurry=False)
        assert len(short.heads) == 1

    both(scenario)
