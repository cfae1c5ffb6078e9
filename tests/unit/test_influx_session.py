"""Of several InfluxDBs the first that is healthy is asked, and every request is answered once."""

import contextlib
import logging
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import requests
from influxdb import InfluxDBClient
from influxdb.exceptions import InfluxDBClientError, InfluxDBServerError

from telemetry import influx, influx_session
from telemetry.settings import ConnectionSettings

TIMEOUT_S = 0.5
SERVER_ERROR, NO_ACCOUNT, NOT_YET_AN_ACCOUNT = 500, 401, 403


class Node(ThreadingHTTPServer):
    """An InfluxDB that takes writes, or is frozen, or answers with an error."""

    daemon_threads = True

    def __init__(self) -> None:
        self.writes: list[bytes] = []
        self.pings = 0
        self.status = 204
        self.thawed = threading.Event()
        self.thawed.set()
        super().__init__(("127.0.0.1", 0), Requests)
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()

    @contextlib.contextmanager
    def frozen(self) -> Iterator[None]:
        self.thawed.clear()
        yield
        self.thawed.set()

    def end(self) -> None:
        self.thawed.set()
        self.shutdown()
        self.server_close()


class Requests(BaseHTTPRequestHandler):
    server: Node

    def do_GET(self) -> None:
        self.server.pings += 1
        self._answer(204)

    def do_POST(self) -> None:
        self.server.writes.append(self.rfile.read(int(self.headers["Content-Length"])))
        self._answer(self.server.status)

    def _answer(self, status: int) -> None:
        self.server.thawed.wait()
        with contextlib.suppress(OSError):  # nobody waits for it any more
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

    def log_message(self, *_: object) -> None:
        """Log nothing."""


class Clock:
    """The time, and what was added to it."""

    def __init__(self) -> None:
        self.added = 0.0

    def monotonic(self) -> float:
        return time.monotonic() + self.added


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(influx_session, "time", clock)
    return clock


@pytest.fixture
def nodes() -> Iterator[list[Node]]:
    nodes = [Node(), Node()]
    yield nodes
    for node in nodes:
        node.end()


@pytest.fixture
def client(nodes: list[Node], monkeypatch: pytest.MonkeyPatch) -> Iterator[InfluxDBClient]:
    monkeypatch.setattr(influx_session, "_PING_S", 0.2)
    client = client_of(nodes, TIMEOUT_S)
    yield client
    client.close()


def client_of(nodes: list[Node], timeout_s: float) -> InfluxDBClient:
    hosts = ",".join(f"127.0.0.1:{node.server_port}" for node in nodes)
    return influx.client(ConnectionSettings(influx_host=hosts).influx, timeout_s)


def write(client: InfluxDBClient, text: str) -> None:
    client.write([text], {"db": "iot"}, protocol="line")


def try_to_write(client: InfluxDBClient, text: str) -> None:
    with contextlib.suppress(InfluxDBClientError, InfluxDBServerError):
        write(client, text)


def written(node: Node) -> list[str]:
    return [content.decode().strip() for content in node.writes]


def test_the_first_is_asked_and_not_checked_before_each_request(
    nodes: list[Node], client: InfluxDBClient
) -> None:
    for text in "abc":
        write(client, text)
    assert [written(node) for node in nodes] == [["a", "b", "c"], []]
    assert nodes[0].pings == 1


def test_a_frozen_one_is_left_for_the_next_and_asked_again_when_it_answers(
    nodes: list[Node],
    client: InfluxDBClient,
    clock: Clock,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    write(client, "a")
    with nodes[0].frozen():
        write(client, "b")
        write(client, "c")
        assert written(nodes[1]) == ["b", "c"]
        clock.added += 10
        write(client, "d")
        assert written(nodes[1]) == ["b", "c", "d"], "its health is checked before"
    clock.added += 10
    write(client, "e")
    assert written(nodes[0]) == ["a", "b", "e"], "the timed-out write may have been stored there"
    said = [
        record.getMessage().partition(f":{nodes[0].server_port} ")[2] for record in caplog.records
    ]
    assert said == ["does not answer: others are asked", "answers again"]


def test_one_that_has_ended_is_left_at_once(nodes: list[Node], client: InfluxDBClient) -> None:
    write(client, "a")
    nodes[0].end()
    client.close()  # its kept connection belongs to a thread of this test
    began = time.monotonic()
    write(client, "b")
    assert written(nodes[1]) == ["b"]
    assert time.monotonic() - began < TIMEOUT_S


@pytest.mark.parametrize(
    ("status", "asked_next"), [(SERVER_ERROR, 1), (NO_ACCOUNT, 1), (NOT_YET_AN_ACCOUNT, 0)]
)
def test_an_error_is_an_answer_and_the_next_request_goes_elsewhere(
    nodes: list[Node], client: InfluxDBClient, status: int, asked_next: int
) -> None:
    nodes[0].status = status
    try_to_write(client, "a")
    assert influx.asked(client) == f"InfluxDB at 127.0.0.1:{nodes[0].server_port}"
    nodes[0].status = 204
    write(client, "b")
    assert written(nodes[asked_next])[-1] == "b"
    assert influx.asked(client) == f"InfluxDB at 127.0.0.1:{nodes[asked_next].server_port}"


def test_when_all_refuse_the_account_each_says_so(
    nodes: list[Node], client: InfluxDBClient
) -> None:
    for node in nodes:
        node.status = NO_ACCOUNT
    for text in "abcd":
        with pytest.raises(InfluxDBClientError, match="401"):
            write(client, text)
    assert [written(node) for node in nodes] == [["a", "c"], ["b", "d"]]
    nodes[1].status = 204
    for text in "efg":
        try_to_write(client, text)
    assert written(nodes[1])[-2:] == ["f", "g"]


def test_one_that_answers_only_pings_rests_longer_each_time(
    nodes: list[Node], clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(influx_session, "_PING_S", 10)
    client = client_of(nodes, timeout_s=10)
    nodes[0].status = SERVER_ERROR
    for number in range(96):
        try_to_write(client, f"{number}")
        clock.added += 10
    assert written(nodes[0]) == ["0", "1", "3", "7", "15", "31", "63", "95"]
    nodes[0].status = 204
    clock.added += 320
    write(client, "answered")
    nodes[0].status = SERVER_ERROR
    for number in range(2):
        try_to_write(client, f"again {number}")
        clock.added += 10
    assert written(nodes[0])[-3:] == ["answered", "again 0", "again 1"]
    client.close()


def test_when_none_is_healthy_they_take_turns_in_telling_why(
    nodes: list[Node], client: InfluxDBClient
) -> None:
    with nodes[0].frozen(), nodes[1].frozen():
        for text in "abc":
            with pytest.raises(requests.ReadTimeout):
                write(client, text)
    assert [written(node) for node in nodes] == [["a", "c"], ["b"]]


def test_a_single_one_is_never_checked(nodes: list[Node]) -> None:
    port = nodes[0].server_port
    alone = influx.client(ConnectionSettings(influx_port=port).influx, TIMEOUT_S)
    with nodes[0].frozen(), pytest.raises(requests.ReadTimeout):
        write(alone, "a")
    write(alone, "b")
    assert (written(nodes[0]), nodes[0].pings) == (["a", "b"], 0)
    alone.close()
