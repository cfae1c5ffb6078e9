"""Where a request ends: offers to upgrade, pipelined heads, fewer bytes than declared."""

import json
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.builders import reading
from tests.identities import give
from tests.integration.http_connection import Connection, Dial, head
from tests.integration.points import points, wait_points
from tests.integration.posting import NDJSON, client, metrics
from tests.stack import Collector, Stack

UPGRADE = {
    "Connection": "Upgrade, HTTP2-Settings",
    "Upgrade": "h2c",
    "HTTP2-Settings": "AAMAAABkAAQAoAAAAAIAAAAA",
}
TOKEN = {"Authorization": "Bearer secret"}


def body(sensor: str, ns: int) -> bytes:
    return json.dumps(reading(sensor, ns)).encode()


@pytest.mark.parametrize("path", ["/data", "/data?ack=stored"])
@pytest.mark.parametrize("form", ["application/json", NDJSON])
def test_an_offer_to_upgrade_is_ignored(
    pipeline: Stack, dial: Dial, sensor: str, form: str, path: str
) -> None:
    connection, ns = dial(), time.time_ns()
    for i in range(2):  # the connection goes on with HTTP/1.1
        fields = {"Content-Type": form, **UPGRADE}
        connection.request("POST", path, body(sensor, ns + i), **fields)
        status, content = connection.response()
        assert status == 201
        assert content in {b"Created", b'{"accepted":1}', b'{"accepted":1,"stored":true}'}
    assert len(wait_points(pipeline.influx, sensor, 2)) == 2


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl")
def test_curl_with_http2_stores_what_it_sends(pipeline: Stack, sensor: str) -> None:
    url = f"{pipeline.collector.url}/data?ack=stored"
    type_ = f"Content-Type: {NDJSON}"
    argv = ["curl", "-s", "--http2", "--noproxy", "*", "-H", type_, "--data-binary", "@-", url]
    lines = body(sensor, 1) + b"\n" + body(sensor, 2) + b"\n"
    sent = subprocess.run(argv, input=lines, capture_output=True, check=True).stdout
    assert json.loads(sent) == {"accepted": 2, "stored": True}
    assert len(points(pipeline.influx, sensor)) == 2


@pytest.mark.parametrize("form", ["application/json", NDJSON])
@pytest.mark.parametrize("fields", [{}, UPGRADE])
def test_fewer_bytes_than_declared_never_get_a_2xx(
    dial: Dial, http: httpx.Client, sensor: str, form: str, fields: dict[str, str]
) -> None:
    before = metrics(http)["accepted"]
    content = body(sensor, 1) + b"\n"
    for end in (0, 1, len(content)):
        connection = dial()
        request = head("POST", "/data", len(content) + 1, **{**fields, "Content-Type": form})
        connection.socket.sendall(request + content[:end])
        connection.socket.shutdown(socket.SHUT_WR)
        assert connection.response()[0] == 400
    assert metrics(http)["accepted"] == before


def test_a_client_that_has_finished_sending_gets_its_response(dial: Dial, sensor: str) -> None:
    connection = dial()
    connection.request("POST", "/data", body(sensor, 1))
    connection.socket.shutdown(socket.SHUT_WR)
    assert connection.response() == (201, b"Created")
    assert connection.responses.read() == b""


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[Collector]:
    """A collector whose only device has the token `secret`, with no broker."""
    give(tmp_path / "accounts", {"device": ("secret", ["*"])})
    with Collector(tmp_path, mqtt_port=1, influx_port=1) as collector:
        yield collector


STRANGER = head("POST", "/data", 2) + b"{}"


@pytest.mark.parametrize("before", [b"\r\n\r\n", STRANGER])
def test_a_request_lends_its_terms_to_no_other(guarded: Collector, before: bytes) -> None:
    content = body("lent", 1).ljust(500)
    request = head("POST", "/data", len(content), **TOKEN) + content
    owner = Connection(guarded.port)
    # As many bytes behind the first empty line as the body has, which ends later.
    owner.socket.sendall(before + request[: len(content)])
    with client(guarded) as http:
        assert http.get("/healthz").status_code == 200  # so the two do not arrive as one
    owner.socket.sendall(request[len(content) :])
    assert [owner.response()[0] for _ in range(1 + (before == STRANGER))][-1] == 201
    for stolen in (before, head("POST", "/data", len(content))):
        other = Connection(guarded.port)
        other.socket.sendall(stolen + content)
        other.socket.shutdown(socket.SHUT_WR)
        statuses = [line.split()[1] for line in other.responses if line.startswith(b"HTTP/")]
        assert set(statuses) <= {b"400", b"401"}
        assert statuses
        other.close()
    owner.close()
    with client(guarded) as http:
        assert metrics(http)["accepted"] == 1
