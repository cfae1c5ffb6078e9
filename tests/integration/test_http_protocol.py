"""HTTP/1.1 over a raw socket: keep-alive, pipelining, cut connections."""

import json
import time

import httpx
import pytest

from tests.builders import reading
from tests.integration.http_connection import Dial, head
from tests.integration.points import wait_points
from tests.integration.posting import metrics, problem
from tests.stack import Stack


def body(sensor: str, ns: int) -> bytes:
    return json.dumps(reading(sensor, ns)).encode()


def test_a_connection_stays_open_over_accepted_and_refused_requests(
    dial: Dial, sensor: str
) -> None:
    connection = dial()
    for _ in range(3):
        connection.request("POST", "/data", body(sensor, time.time_ns()))
        assert connection.response() == (201, b"Created")
        connection.request("POST", "/data", b"nonsense")
        assert connection.response()[0] == 400


def test_after_another_request_than_post_data_the_connection_ends(dial: Dial, sensor: str) -> None:
    connection = dial()
    connection.request("POST", "/data", body(sensor, time.time_ns()))
    assert connection.response() == (201, b"Created")
    connection.request("GET", "/healthz")
    assert connection.response() == (200, b"alive\n")
    assert connection.responses.read() == b""


def test_pipelined_requests_are_answered_in_order(pipeline: Stack, dial: Dial, sensor: str) -> None:
    connection, ns = dial(), time.time_ns()
    fine = [head("POST", "/data", len(b)) + b for i in range(50) if (b := body(sensor, ns + i))]
    batch = b"[" + body(sensor, ns) + b"]"
    bad = head("POST", "/data", 1) + b"{"
    many = head("POST", "/data", len(batch)) + batch
    connection.socket.sendall(b"".join([*fine, bad, many]))
    assert [connection.response()[0] for _ in range(51)] == [201] * 50 + [400]
    assert connection.response() == (201, b'{"accepted":1}')
    assert len(wait_points(pipeline.influx, sensor, 50)) == 50


def test_a_body_may_arrive_in_pieces(dial: Dial, sensor: str) -> None:
    connection, content = dial(), body(sensor, time.time_ns())
    connection.socket.sendall(head("POST", "/data", len(content)))
    for at in range(len(content)):
        connection.socket.sendall(content[at : at + 1])
    assert connection.response() == (201, b"Created")


def test_a_client_that_expects_100_continue_gets_it(dial: Dial, sensor: str) -> None:
    connection, content = dial(), body(sensor, time.time_ns())
    connection.socket.sendall(head("POST", "/data", len(content), Expect="100-continue"))
    assert connection.head()[0] == 100
    connection.socket.sendall(content)
    assert connection.response() == (201, b"Created")


def test_a_refused_head_gets_its_final_status_instead_of_100_continue(dial: Dial) -> None:
    connection = dial()
    fields = {"Expect": "100-continue", "Content-Type": "text/plain"}
    connection.socket.sendall(head("POST", "/data", 10**9, **fields))
    assert connection.head()[0] == 415


def test_a_body_over_the_limit_is_refused_before_it_has_arrived(dial: Dial) -> None:
    connection = dial()
    connection.socket.sendall(head("POST", "/data", 10**12))
    connection.socket.sendall(bytes((8 << 20) + 1))
    assert connection.response()[0] == 413


def test_a_body_that_is_cut_off_is_refused(
    pipeline: Stack, http: httpx.Client, dial: Dial, sensor: str
) -> None:
    before = metrics(http)["accepted"]
    content = body(sensor, time.time_ns())
    for cut in (content[:-1], content[: len(content) // 2]):
        connection = dial()
        connection.socket.sendall(head("POST", "/data", len(content)) + cut)
        connection.close()
    assert http.post("/data", content=body(sensor, 5)).status_code == 201
    assert wait_points(pipeline.influx, sensor) == {("temp", 5): 21.5}
    assert metrics(http)["accepted"] == before + 1


def test_a_client_that_disconnects_before_its_response_affects_no_others(
    pipeline: Stack, http: httpx.Client, dial: Dial, sensor: str
) -> None:
    for i in range(20):
        connection = dial()
        connection.request("POST", "/data", body(sensor, i))
        connection.close()
    wait_points(pipeline.influx, sensor, 20)
    assert http.post("/data", content=body(sensor, 99)).status_code == 201


def test_http_1_0_and_connection_close_close_the_connection(dial: Dial, sensor: str) -> None:
    content = body(sensor, time.time_ns())
    old = dial()
    request = head("POST", "/data", len(content)).replace(b"HTTP/1.1", b"HTTP/1.0")
    old.socket.sendall(request + content)
    assert old.response() == (201, b"Created")
    assert old.responses.read() == b""
    closing = dial()
    closing.request("POST", "/data", content, Connection="close")
    assert closing.response() == (201, b"Created")
    assert closing.responses.read() == b""


def test_bytes_that_are_not_http_get_400_and_the_collector_continues(dial: Dial) -> None:
    connection = dial()
    connection.socket.sendall(b"\x16\x03\x01 certainly not\r\n\r\n")
    assert connection.head()[0] == 400
    other = dial()
    other.request("GET", "/healthz")
    assert other.response()[0] == 200


@pytest.mark.parametrize("path", ["/healthz", "/data", "/metrics"])
def test_head_has_no_body(dial: Dial, path: str) -> None:
    connection = dial()
    connection.request("HEAD", path)
    assert connection.head()[0] == (405 if path == "/data" else 200)
    assert connection.responses.read() == b""


def test_many_connections_at_once(dial: Dial, sensor: str) -> None:
    connections = [dial() for _ in range(200)]
    for number, connection in enumerate(connections):
        connection.request("POST", "/data", body(sensor, number))
    assert [connection.response() for connection in connections] == [(201, b"Created")] * 200


def test_an_unknown_path_is_a_problem(http: httpx.Client) -> None:
    for path in ("/nothing", "/docs/x", "/metrics/"):
        problem(http.get(path), 404)
