"""The client against servers that send anything."""

import socket
import time
from contextlib import closing

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from device.client import MAX_TEXT, CollectorClient
from device.responses import Response
from tests.device.raw_server import CREATED, Answer, raw_server, repeats, sends
from tests.device.stub import Reply, Stub
from tests.service import free_port, wait_for

READING = '{"type":"temp","value":1,"sensor_id":7}'
HEAD = b"HTTP/1.1 201 Created\r\n"
ENDLESS = HEAD + b"Content-Length: 99999999999\r\n\r\n"


def hang_up(connection: socket.socket) -> None:
    connection.shutdown(socket.SHUT_RDWR)


def drip(connection: socket.socket) -> None:
    """Send a byte now and then: no single wait is long."""
    while True:
        connection.sendall(b"H")
        time.sleep(0.02)


def post_to(answer: Answer, *, timeout: float = 10) -> Response:
    with (
        raw_server(answer) as server,
        closing(CollectorClient("127.0.0.1", server.port, timeout=timeout)) as client,
    ):
        return client.post([READING])


def test_requests_share_one_connection() -> None:
    with (
        raw_server(sends(CREATED)) as server,
        closing(CollectorClient("127.0.0.1", server.port, "secret")) as client,
    ):
        assert [client.post([READING]) for _ in range(3)] == [Response(201, "ok")] * 3
        assert client.post([READING, READING]).status == 201
    assert server.connections == 1
    first, *_, last = server.requests
    assert first.startswith(b"POST /data HTTP/1.1\r\n")
    assert b"\r\nAuthorization: Bearer secret\r\n" in first
    assert f"\r\nHost: 127.0.0.1:{server.port}\r\n".encode() in first
    assert first.endswith(f"\r\n\r\n{READING}".encode())
    assert last.endswith(f"\r\n\r\n[{READING},{READING}]".encode())


def test_a_connection_that_was_closed_while_idle_is_replaced_before_the_request() -> None:
    with (
        raw_server(sends(CREATED)) as server,
        closing(CollectorClient("127.0.0.1", server.port)) as client,
    ):
        assert client.post([READING]).status == 201
        server.close_idle()
        assert client.post([READING]).status == 201
    assert (server.connections, len(server.requests)) == (2, 2)


def test_control_without_the_check_the_request_would_be_lost(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(CollectorClient, "_close_if_stale", lambda _: None)
    with (
        raw_server(sends(CREATED)) as server,
        closing(CollectorClient("127.0.0.1", server.port)) as client,
    ):
        client.post([READING])
        server.close_idle()
        assert client.post([READING]).status is None


@pytest.mark.parametrize("host", ["::1", "[::1]"])
def test_an_ipv6_address_may_have_brackets(host: str) -> None:
    with (
        raw_server(sends(CREATED), socket.AF_INET6) as server,
        closing(CollectorClient(host, server.port)) as client,
    ):
        assert client.post([READING]).status == 201
    assert f"\r\nHost: [::1]:{server.port}\r\n".encode() in server.requests[0]


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (hang_up, "the connection was closed"),
        (sends(b"SSH-2.0-OpenSSH_9.2\r\n"), "the answer is not HTTP"),
        (sends(b"HTTP/1.1 2O1 Created\r\n"), "the answer is not HTTP"),
        (sends(b"HTTP/9.9 201 Created\r\n\r\n"), "the answer is not HTTP"),
        (repeats(b"", b"HTTP/1.1 100 Continue\r\n\r\n"), "the answer is not HTTP"),
        (repeats(b"", b"x" * 1000), "the answer is not HTTP"),
        (repeats(HEAD, b"X: y\r\n"), "the answer is not HTTP"),
        (repeats(HEAD, b"X" * 1000), "the answer is not HTTP"),
    ],
)
def test_what_is_not_a_response_is_no_answer(answer: Answer, reason: str) -> None:
    assert post_to(answer) == Response(None, reason)


@pytest.mark.parametrize(
    "answer",
    [
        repeats(ENDLESS, b"x" * 1000),
        repeats(HEAD + b"\r\n", b"x" * 1000),
        repeats(HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
        repeats(HEAD + b"Transfer-Encoding: chunked\r\n\r\n-1\r\n", b"x" * 1000),
        repeats(HEAD + b"Transfer-Encoding: chunked\r\n\r\n0\r\n", b"trailer: x\r\n"),
    ],
)
def test_of_a_body_without_an_end_a_part_is_read(answer: Answer) -> None:
    response = post_to(answer)
    assert response.status == 201
    assert len(response.text) <= MAX_TEXT


@pytest.mark.parametrize("length", ["-1", "ten", "1e3", "9" * 5000, "", "1, 2"])
def test_a_bad_length_is_not_believed(length: str) -> None:
    def answer(connection: socket.socket) -> None:
        connection.sendall(HEAD + f"Content-Length: {length}\r\n\r\nok".encode())
        hang_up(connection)

    assert post_to(answer) == Response(201, "ok")


def test_after_an_incomplete_body_the_next_request_has_its_own_connection() -> None:
    bodies = [ENDLESS + b"x" * MAX_TEXT, CREATED]
    with (
        raw_server(lambda connection: connection.sendall(bodies.pop(0))) as server,
        closing(CollectorClient("127.0.0.1", server.port)) as client,
    ):
        assert client.post([READING]) == Response(201, "x" * MAX_TEXT)
        assert client.post([READING]) == Response(201, "ok")
    assert server.connections == 2


@pytest.mark.parametrize("answer", [drip, lambda _: time.sleep(1)])
def test_the_time_for_a_response_is_limited_in_all(answer: Answer) -> None:
    assert post_to(answer, timeout=0.2) == Response(None, "no answer in 0.2 s")


def test_a_slow_body_is_left_out() -> None:
    assert post_to(sends(ENDLESS), timeout=0.2) == Response(201, "Created")


def test_the_reasons_for_no_connection_are_short() -> None:
    closed = CollectorClient("127.0.0.1", free_port())
    assert closed.post([READING]) == Response(None, "connection refused")
    nowhere = CollectorClient("no-such-host.invalid", 1337)
    response = nowhere.post([READING])
    assert response.status is None
    assert "name" in response.text
    assert len(response.text) < 60


def test_it_connects_when_the_collector_is_back() -> None:
    port = free_port()
    client = CollectorClient("127.0.0.1", port)
    assert client.post([READING]).status is None
    with closing(client), Stub(Reply(cut=True), port=port) as stub:
        assert client.post([READING]) == Response(None, "the connection was closed")
        assert client.post([READING]) == Response(201, "Created")
        wait_for(lambda: len(stub.accepted) == 1)


ANSWERS = st.one_of(
    st.binary(max_size=200),
    st.builds(
        b"HTTP/1.1 %b\r\n%b\r\n\r\n%b".__mod__,
        st.tuples(
            st.sampled_from([b"201 Created", b"100 Continue", b"999", b"503 \xff"]),
            st.sampled_from(
                [
                    b"Retry-After: Sun, 22 Nov 99999999999999999999 18:50:45 GMT",
                    b"Retry-After: \xff",
                    b"Content-Length: 3",
                    b"Transfer-Encoding: chunked",
                    b"Connection: close",
                    b": : :",
                ]
            )
            | st.binary(max_size=40),
            st.sampled_from([b"3\r\nabc\r\n0\r\n\r\n", b"FFFFFFFFFFFFFFFFFFFF\r\nx", b"-5\r\n"])
            | st.binary(max_size=40),
        ),
    ),
)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=300)
@given(ANSWERS)
def test_nothing_that_is_sent_raises(data: bytes) -> None:
    def answer(connection: socket.socket) -> None:
        connection.sendall(data)
        hang_up(connection)

    response = post_to(answer)
    assert response.status is None or response.status in range(100, 1000)
    assert str(response).isprintable()
