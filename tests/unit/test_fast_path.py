"""A request on the fast path is answered as it would be through uvicorn."""
# ruff: noqa: SLF001  SQLite's own limits

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from collector.http.fast_path import MAX_HEADS
from hypothesis import given
from hypothesis import strategies as st

from tests.builders import reading_json
from tests.unit.fast_path_model import GOOD, REQUESTS, NoHeads, Server, post

NO_HTTP = {"no head", "half a head", "both lengths", "a newline before", "upgrade"}
"""The connection is closed on what is not HTTP; earlier requests may lose their responses."""


def both(scenario: Callable[[Server, Server], Awaitable[None]]) -> None:
    """Run it with a server that takes the fast path where it can and one that never does."""

    async def run() -> None:
        with TemporaryDirectory() as a, TemporaryDirectory() as b:
            fast, long = Server(Path(a), {}), Server(Path(b), NoHeads())
            await fast.answers([GOOD], hurry=False)
            assert fast.heads
            await scenario(fast, long)
            fast.close()
            long.close()

    asyncio.run(run())


@pytest.mark.parametrize("first", REQUESTS)
def test_each_request_after_each_other_is_answered_the_same(first: str) -> None:
    async def scenario(fast: Server, long: Server) -> None:
        a = REQUESTS[first]
        for b in REQUESTS.values():
            cuts = [1, b.find(b"HTTP"), b.find(b"\r\n\r\n") + 4, len(b) - 1]
            streams = [[a, b], [a + b], *([a, b[:cut], b[cut:]] for cut in cuts)]
            streams += [[a, b[:cut], b[cut:] + a] for cut in cuts]
            for stream in streams:
                pieces = [piece for piece in stream if piece]
                expected = await long.answers(pieces, hurry=False)
                assert await fast.answers(pieces, hurry=False) == expected, pieces

    both(scenario)


def streams() -> st.SearchStrategy[list[list[bytes]]]:
    """Return requests in a row, some cut in two, some joined with the next."""

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
def test_pipelined_requests_are_answered_the_same(streams: list[list[bytes]]) -> None:
    async def scenario(fast: Server, long: Server) -> None:
        for pieces in streams:
            expected = await long.answers(pieces, hurry=True)
            assert await fast.answers(pieces, hurry=True) == expected

    both(scenario)


@pytest.mark.parametrize(
    ("fault", "status"), [("query_only = ON", b"500"), ("max_page_count = 1", b"503")]
)
def test_a_failed_commit_is_answered_the_same(fault: str, status: bytes) -> None:
    async def scenario(fast: Server, long: Server) -> None:
        large = post(b"[" + b",".join([reading_json()] * 20) + b"]")
        answers = []
        for server in (fast, long):
            await server.answers([large], hurry=False)
            server.outbox._db.execute(f"PRAGMA {fault}")
            answers.append(await server.answers([large] * 3, hurry=False))
        assert answers[0] == answers[1]
        assert answers[0][0].startswith(b"HTTP/1.1 " + status), answers

    both(scenario)


def test_a_shutdown_closes_the_connection_after_the_response() -> None:
    async def scenario(fast: Server, _: Server) -> None:
        protocol, wire = fast.dial()
        protocol.data_received(GOOD)
        protocol.shutdown()
        assert not wire.closed
        await fast.settle_down(wire)
        assert wire.closed
        assert len(wire.sent) == 1
        assert wire.sent[0].startswith(b"HTTP/1.1 201 Created\r\n")
        assert b"\r\nconnection: close\r\n" in wire.sent[0]

    both(scenario)


def test_a_client_that_disconnects_before_the_response_is_harmless() -> None:
    async def scenario(fast: Server, _: Server) -> None:
        protocol, wire = fast.dial()
        protocol.data_received(GOOD)
        wire.closed = True
        protocol.connection_lost(None)
        before = fast.outbox.last
        await fast.settle_down(wire)
        assert (wire.sent, fast.outbox.last) == ([], before + 1)

    both(scenario)


def test_a_client_that_does_not_read_its_responses_gets_no_more_of_them() -> None:
    async def scenario(fast: Server, _: Server) -> None:
        protocol, wire = fast.dial()
        protocol.pause_writing()
        protocol.data_received(GOOD)
        await fast.settle_down(wire)
        assert wire.sent == []
        protocol.resume_writing()
        await fast.settle_down(wire)
        assert b"".join(wire.sent).endswith(b"Created")

    both(scenario)


def test_the_number_of_known_heads_is_bounded() -> None:
    async def scenario(fast: Server, _: Server) -> None:
        known = fast.heads[GOOD[: GOOD.index(b"{")]]
        fast.heads.update((b"%d" % number, known) for number in range(MAX_HEADS - 1))
        await fast.answers([post(reading_json(), "X: y")], hurry=False)
        assert len(fast.heads) == 1

    both(scenario)
