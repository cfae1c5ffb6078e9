"""What answers in InfluxDB's place takes neither all memory nor all time."""

import contextlib
import itertools
import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest
import requests
from influxdb import InfluxDBClient

from telemetry import influx
from telemetry.settings import InfluxAccess

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
TIMEOUT_S = 0.5

Answer = Callable[[], Iterator[bytes]]


def endless() -> Iterator[bytes]:
    piece = b"10000\r\n" + b" " * (1 << 16) + b"\r\n"
    return itertools.repeat(piece)


def dripping() -> Iterator[bytes]:
    while True:
        yield b"1\r\n \r\n"
        time.sleep(0.01)


@contextlib.contextmanager
def client_of(answer: Answer, accepted: list[str]) -> Iterator[InfluxDBClient]:
    """A client of a server that answers every request so, and notes each connection."""

    def serve() -> None:
        with contextlib.suppress(OSError):  # the test has ended
            while True:
                connection, _ = listener.accept()
                accepted.append("connection")
                with connection, contextlib.suppress(OSError):
                    while connection.recv(65536):
                        connection.sendall(HEAD)
                        for piece in answer():
                            connection.sendall(piece)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=serve, daemon=True).start()
        port = listener.getsockname()[1]
        access = InfluxAccess(
            addresses=(f"127.0.0.1:{port}",), username=None, password=None, database="iot"
        )
        client = influx.client(access, TIMEOUT_S)
        try:
            yield client
        finally:
            client.close()
            listener.shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize(("answer", "reason"), [(endless, "more than"), (dripping, "timed out")])
def test_an_answer_without_end_is_given_up(answer: Answer, reason: str) -> None:
    with (
        client_of(answer, []) as client,
        pytest.raises(requests.ConnectionError, match=reason),
    ):
        client.query("SHOW DATABASES")


def test_an_answer_is_read_and_its_connection_kept() -> None:
    content = b'{"results":[{"series":[{"name":"d","columns":["name"],"values":[["iot"]]}]}]}'
    accepted: list[str] = []
    pieces = [b"%x\r\n%b\r\n" % (len(content), content), b"0\r\n\r\n"]
    with client_of(lambda: iter(pieces), accepted) as client:
        for _ in range(3):
            assert client.get_list_database() == [{"name": "iot"}]
    assert len(accepted) == 1
