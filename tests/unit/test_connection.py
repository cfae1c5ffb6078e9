"""Requests on one connection: however they are cut and joined, each is answered as if alone."""
# ruff: noqa: SLF001  SQLite's own limits

import asyncio
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.http.limits import Limits
from collector.http.response import Response
from tests.builders import reading_json
from tests.unit.http_model import GOOD, READING, REQUESTS, Outcome, Server, post


def serve(scenario: Callable[[Server], Awaitable[None]], limits: Limits | None = None) -> None:
    async def run() -> None:
        with TemporaryDirectory() as directory:
            server = Server(Path(directory), limits or Limits(100, 100))
            await scenario(server)
            server.close()

    asyncio.run(run())


def check(outcome: Outcome, expected: list[Outcome], pieces: list[bytes]) -> None:
    """Check that requests got the responses that each gets alone, until one closes."""
    number = len(outcome.statuses)
    assert outcome.statuses == [status for o in expected for status in o.statuses][:number], pieces
    closing = [o.closed for o in expected]
    answered = closing.index(True) + 1 if True in closing else len(expected)
    assert outcome.closed or number == answered, pieces
    assert number <= answered, pieces
    assert outcome.accepted == sum(o.accepted for o in expected[:number]), pieces


@pytest.mark.parametrize("first", REQUESTS)
def test_each_request_after_each_other_is_answered_as_if_alone(first: str) -> None:
    async def scenario(server: Server) -> None:
        a = REQUESTS[first]
        for b in REQUESTS.values():
            expected = [await server.outcome(a), await server.outcome(b)]
            cuts = [1, b.find(b"HTTP"), b.find(b"\r\n\r\n") + 2, b.find(b"\r\n\r\n") + 4]
            cuts += [len(b) - 1]
            streams = [[a, b], [a + b], *([a, b[:cut], b[cut:]] for cut in cuts)]
            for stream in streams:
                pieces = [piece for piece in stream if piece]
                check(await server.outcome(*pieces), expected, pieces)
            pieces = [a, b[: cuts[2]], b[cuts[2] :] + a]
            check(await server.outcome(*pieces), [*expected, expected[0]], pieces)

    serve(scenario)


KEPT_OPEN = ["good", "another good one", "batch", "not JSON, of the same length", "a query"]


@given(st.lists(st.tuples(st.sampled_from(KEPT_OPEN), st.booleans()), max_size=8), st.data())
def test_pipelined_requests_are_answered_in_order(
    requests: list[tuple[str, bool]], data: st.DataObject
) -> None:
    stream = b"".join(REQUESTS[name] + b"\r\n" * extra for name, extra in requests)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=6)))
    edges = zip([0, *cuts], [*cuts, len(stream)], strict=True)
    pieces = [stream[a:b] for a, b in edges if a < b]

    async def scenario(server: Server) -> None:
        expected = [await server.outcome(REQUESTS[name]) for name, _ in requests]
        outcome = await server.outcome(*pieces, hurry=True)
        assert outcome.statuses == [status for o in expected for status in o.statuses]
        assert outcome.accepted == sum(o.accepted for o in expected)

    serve(scenario)


@given(st.binary() | st.text("POST /data HTTP1.\r\n:CLconetgh-5{}", max_size=80).map(str.encode))
def test_whatever_arrives_is_answered_or_waited_for(stream: bytes) -> None:
    async def scenario(server: Server) -> None:
        outcome = await server.outcome(stream, stream)
        assert set(outcome.statuses) <= {400, 404, 405, 501}
        assert outcome.accepted == 0
        assert (await server.outcome(GOOD)).statuses == [201]

    serve(scenario)


@pytest.mark.parametrize(
    ("fault", "status"), [("query_only = ON", 500), ("max_page_count = 1", 503)]
)
def test_a_failed_commit_is_an_error(fault: str, status: int) -> None:
    async def scenario(server: Server) -> None:
        large = post(b"[" + b",".join([reading_json()] * 20) + b"]")
        await server.outcome(large)
        server.outbox._db.execute(f"PRAGMA {fault}")
        outcome = await server.outcome(large, large, large)
        assert outcome == ([status] * 3, False, 0)

    serve(scenario)


@pytest.mark.parametrize("path", ["/data", "/data?ack=stored"])
def test_an_unexpected_error_is_a_500_logged_once_a_second(
    path: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object, **__: object) -> Response:
        raise ZeroDivisionError("impossible")

    async def scenario(server: Server) -> None:
        monkeypatch.setattr("collector.http.data.accept", fail)
        request = post(READING, path=path)
        assert (await server.outcome(request, request)).statuses == [500, 500]
        (record,) = caplog.records
        assert record.levelno == logging.ERROR
        assert record.exc_info
        assert "impossible" in record.message
        monkeypatch.undo()
        assert (await server.outcome(request[:-1], request[-1:], GOOD)).statuses[:1] != [500]

    serve(scenario)


def test_a_shutdown_closes_the_connection_after_the_response() -> None:
    async def scenario(server: Server) -> None:
        connection, wire = server.dial()
        connection.data_received(GOOD + GOOD)
        connection.shutdown()
        assert not wire.closed
        await server.settle_down(wire)
        assert wire.closed
        assert wire.sent.startswith(b"HTTP/1.1 201 Created\r\n")
        assert wire.sent.count(b"\r\nconnection: close\r\n") == wire.sent.count(b"HTTP/1.1") == 1

    serve(scenario)


def test_a_client_that_disconnects_before_the_response_is_harmless() -> None:
    async def scenario(server: Server) -> None:
        for request in (GOOD, post(READING, path="/data?ack=stored")):
            connection, wire = server.dial()
            connection.data_received(request)
            wire.closed = True
            connection.connection_lost(None)
            before = server.outbox.last
            await server.settle_down(wire)
            assert wire.sent == b""
            assert server.outbox.last - before <= 1

    serve(scenario)


def test_a_client_that_does_not_read_its_responses_gets_no_more_of_them() -> None:
    async def scenario(server: Server) -> None:
        connection, wire = server.dial()
        connection.pause_writing()
        connection.data_received(GOOD)
        await server.settle_down(wire)
        assert wire.sent == b""
        assert wire.paused
        connection.resume_writing()
        await server.settle_down(wire)
        assert wire.sent.endswith(b"Created")
        assert not wire.paused

    serve(scenario)


def test_what_waits_behind_a_request_is_bounded() -> None:
    async def scenario(server: Server) -> None:
        connection, wire = server.dial()
        connection.data_received(GOOD)
        connection.data_received(GOOD * 10)
        await server.settle_down(wire)
        assert wire.closed
        assert b"\r\nconnection: close\r\n" in wire.sent
        assert server.outbox.last == 1
        connection.connection_lost(None)
        assert (await server.outcome(GOOD, GOOD)).statuses == [201, 201]

    serve(scenario, Limits(100, 100, held_bytes=1000))
