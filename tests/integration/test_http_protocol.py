"""HTTP/1.1 itself, byte by byte over a socket: connections kept, pipelined, cut."""

import json
import socket
from collections.abc import Callable, Iterator

import httpx
import pytest

from tests.integration.points import wait_points
from tests.integration.posting import metrics, now_ns, problem, reading
from tests.stack import Stack


class Wire:
    """A connection, and the answers that come over it."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=30)
        self.answers = self.socket.makefile("rb")

    def request(self, method: str, path: str, body: bytes = b"", **headers: str) -> None:
        """Send a request with its length declared."""
        self.socket.sendall(head(method, path, len(body), **headers) + body)

    def answer(self) -> tuple[int, bytes]:
        """Return status and body of the next answer."""
        status, fields = self.head()
        return status, self.answers.read(int(fields.get("content-length", 0)))

    def head(self) -> tuple[int, dict[str, str]]:
        """Return status and header fields of the next answer."""
        status = int(self.answers.readline().split()[1])
        fields = {}
        while line := self.answers.readline().decode().strip():
            name, _, text = line.partition(":")
            fields[name.lower()] = text.strip()
        return status, fields

    def close(self) -> None:
        """End the connection."""
        self.answers.close()
        self.socket.close()


def head(method: str, path: str, length: int | None, **headers: str) -> bytes:
    """Return a request's head."""
    fields = {"Host": "collector", "Content-Type": "application/json", **headers}
    if length is not None:
        fields["Content-Length"] = str(length)
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {text}" for name, text in fields.items())]
    return "\r\n".join([*lines, "", ""]).encode()


@pytest.fixture
def dial(pipeline: Stack) -> Iterator[Callable[[], Wire]]:
    """Give a function that opens connections, which end with the test."""
    opened: list[Wire] = []

    def dial() -> Wire:
        opened.append(Wire(pipeline.collector.port))
        return opened[-1]

    yield dial
    for wire in opened:
        wire.close()


Dial = Callable[[], Wire]


def body(sensor: str, ns: int) -> bytes:
    return json.dumps(reading(sensor, ns)).encode()


def test_a_connection_is_kept_over_good_and_bad_requests(dial: Dial, sensor: str) -> None:
    wire = dial()
    for _ in range(3):
        wire.request("POST", "/data", body(sensor, now_ns()))
        assert wire.answer() == (201, b"Created")
        wire.request("POST", "/data", b"nonsense")
        assert wire.answer()[0] == 400
        wire.request("GET", "/healthz")
        assert wire.answer()[0] == 200


def test_pipelined_requests_are_answered_in_their_order(
    pipeline: Stack, dial: Dial, sensor: str
) -> None:
    wire, ns = dial(), now_ns()
    fine = [head("POST", "/data", len(b)) + b for i in range(50) if (b := body(sensor, ns + i))]
    batch = b"[" + body(sensor, ns) + b"]"
    bad = head("POST", "/data", 1) + b"{"
    many = head("POST", "/data", len(batch)) + batch
    wire.socket.sendall(b"".join([*fine, bad, many]))
    assert [wire.answer()[0] for _ in range(51)] == [201] * 50 + [400]
    assert wire.answer() == (201, b'{"accepted":1}')
    assert len(wait_points(pipeline.influx, sensor, 50)) == 50


def test_a_body_may_come_in_pieces(dial: Dial, sensor: str) -> None:
    wire, content = dial(), body(sensor, now_ns())
    wire.socket.sendall(head("POST", "/data", len(content)))
    for at in range(len(content)):
        wire.socket.sendall(content[at : at + 1])
    assert wire.answer() == (201, b"Created")


def test_a_client_that_expects_100_continue_gets_it(dial: Dial, sensor: str) -> None:
    wire, content = dial(), body(sensor, now_ns())
    wire.socket.sendall(head("POST", "/data", len(content), Expect="100-continue"))
    assert wire.head()[0] == 100
    wire.socket.sendall(content)
    assert wire.answer() == (201, b"Created")


def test_a_client_that_expects_100_continue_is_spared_a_body_in_vain(dial: Dial) -> None:
    wire = dial()
    fields = {"Expect": "100-continue", "Content-Type": "text/plain"}
    wire.socket.sendall(head("POST", "/data", 10**9, **fields))
    assert wire.head()[0] == 415


def test_a_body_over_the_limit_is_refused_before_it_has_all_come(dial: Dial) -> None:
    wire = dial()
    wire.socket.sendall(head("POST", "/data", 10**12))
    wire.socket.sendall(bytes((8 << 20) + 1))
    assert wire.answer()[0] == 413


def test_a_body_that_is_cut_off_is_not_accepted(
    pipeline: Stack, http: httpx.Client, dial: Dial, sensor: str
) -> None:
    before = metrics(http)["accepted"]
    content = body(sensor, now_ns())
    for cut in (content[:-1], content[: len(content) // 2]):
        wire = dial()
        wire.socket.sendall(head("POST", "/data", len(content)) + cut)
        wire.close()
    assert http.post("/data", content=body(sensor, 5)).status_code == 201
    assert wait_points(pipeline.influx, sensor) == {("temp", 5): 21.5}
    assert metrics(http)["accepted"] == before + 1


def test_a_client_that_leaves_before_its_answer_costs_nobody_anything(
    pipeline: Stack, http: httpx.Client, dial: Dial, sensor: str
) -> None:
    for i in range(20):
        wire = dial()
        wire.request("POST", "/data", body(sensor, i))
        wire.close()
    wait_points(pipeline.influx, sensor, 20)
    assert http.post("/data", content=body(sensor, 99)).status_code == 201


def test_http_1_0_and_connection_close_end_the_connection(dial: Dial, sensor: str) -> None:
    content = body(sensor, now_ns())
    old = dial()
    request = head("POST", "/data", len(content)).replace(b"HTTP/1.1", b"HTTP/1.0")
    old.socket.sendall(request + content)
    assert old.answer() == (201, b"Created")
    assert old.answers.read() == b""
    leaving = dial()
    leaving.request("POST", "/data", content, Connection="close")
    assert leaving.answer() == (201, b"Created")
    assert leaving.answers.read() == b""


def test_what_is_not_http_gets_400_and_the_collector_goes_on(dial: Dial) -> None:
    wire = dial()
    wire.socket.sendall(b"\x16\x03\x01 certainly not\r\n\r\n")
    assert wire.head()[0] == 400
    other = dial()
    other.request("GET", "/healthz")
    assert other.answer()[0] == 200


@pytest.mark.parametrize("path", ["/healthz", "/data", "/metrics"])
def test_head_has_no_body_and_leaves_the_connection_usable(dial: Dial, path: str) -> None:
    wire = dial()
    wire.request("HEAD", path)
    assert wire.head()[0] in {200, 405}
    wire.request("GET", "/healthz")
    assert wire.answer() == (200, b"alive\n")


def test_many_connections_at_once(dial: Dial, sensor: str) -> None:
    wires = [dial() for _ in range(200)]
    for number, wire in enumerate(wires):
        wire.request("POST", "/data", body(sensor, number))
    assert [wire.answer() for wire in wires] == [(201, b"Created")] * 200


def test_an_unknown_path_is_a_problem(http: httpx.Client) -> None:
    for path in ("/nothing", "/docs/x", "/metrics/"):
        problem(http.get(path), 404)
