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
from influxdb.exceptions import InfluxDBServerError

from telemetry import influx, influx_session
from telemetry.settings import ConnectionSettings

TIMEOUT_S = 0.5
SERVER_ERROR = 500


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


@pytest.fixture
def nodes() -> Iterator[list[Node]]:
    nodes = [Node(), Node()]
    yield nodes
    for node in nodes:
        node.end()


@pytest.fixture
def client(nodes: list[Node], monkeypatch: pytest.MonkeyPatch) -> Iterator[InfluxDBClient]:
    monkeypatch.setattr(influx_session, "_PING_S", 0.2)
    hosts = ",".join(f"127.0.0.1:{node.server_port}" for node in nodes)
    client = influx.client(ConnectionSettings(influx_host=hosts).influx, TIMEOUT_S)
    yield client
    client.close()


def write(client: InfluxDBClient, text: str) -> None:
    client.write([text], {"db": "iot"}, protocol="line")


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
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    write(client, "a")
    with nodes[0].frozen():
        write(client, "b")
        write(client, "c")
        assert written(nodes[1]) == ["b", "c"]
        monkeypatch.setattr(influx_session, "_REST_S", 0)
        write(client, "d")
        assert written(nodes[1]) == ["b", "c", "d"], "its health is checked before"
    write(client, "e")
    assert written(nodes[0]) == ["a", "b", "e"], "the timed-out write may have been stored there"
    said = [
        record.getMessage().partition(f":{nodes[0].server_port} ")[2] for record in caplog.records
    ]
    assert said == ["does not answer: others are asked until it does", "answers again"]


def test_one_that_has_ended_is_left_at_once(nodes: list[Node], client: InfluxDBClient) -> None:
    write(client, "a")
    nodes[0].end()
    client.close()  # its kept connection belongs to a thread of this test
    began = time.monotonic()
    write(client, "b")
    assert written(nodes[1]) == ["b"]
    assert time.monotonic() - began < TIMEOUT_S


def test_an_error_of_the_server_is_an_answer_and_the_next_request_goes_elsewhere(
    nodes: list[Node], client: InfluxDBClient
) -> None:
    nodes[0].status = SERVER_ERROR
    with pytest.raises(InfluxDBServerError):
        write(client, "a")
    write(client, "b")
    assert [written(node) for node in nodes] == [["a"], ["b"]]


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
