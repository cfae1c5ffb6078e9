"""The examples for makers speak TLS, and only to a broker whose authority they trust."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.certificates import Authority
from tests.integration.points import points, wait_points
from tests.service import free_port
from tests.stack import Service, Stack, wait_for

EXAMPLE = "docs/examples/reliable_device.py"
Start = Callable[[Path, int, Authority], Service]


class Server(NamedTuple):
    """A port of the broker that speaks TLS, and who vouches for it."""

    port: int
    authority: Authority


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Server:
    return Server(free_port(), Authority(tmp_path_factory.mktemp("authority")))


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory, server: Server) -> Iterator[Stack]:
    chain, key = server.authority.issue("127.0.0.1")
    settings = f"listener {server.port} 127.0.0.1\ncertfile {chain}\nkeyfile {key}\n"
    with Stack(tmp_path_factory.mktemp("stack"), broker_settings=settings) as stack:
        yield stack


def reliable_device(directory: Path, port: int, authority: Authority) -> Service:
    """Return the example in Python, with an account that a broker without accounts lets in."""
    secret = directory / "secret"
    secret.write_text("no matter")
    options = ["127.0.0.1", port, "cellar", directory / "readings.db"]
    account = ["cellar", secret, authority.path]
    argv = [sys.executable, EXAMPLE, *(str(word) for word in (*options, *account))]
    return Service("example", directory, argv)


def board(directory: Path, port: int, authority: Authority) -> Service:
    argv = [sys.executable, "-m", "tests.integration.micropython", str(port), str(authority.path)]
    return Service("board", directory, argv)


@pytest.mark.parametrize(
    ("example", "sensor"), [(reliable_device, "cellar"), (board, "greenhouse")]
)
def test_nothing_is_sent_to_a_broker_that_it_does_not_trust_and_then_all(
    pipeline: Stack, server: Server, tmp_path: Path, example: Start, sensor: str
) -> None:
    with example(tmp_path, server.port, Authority(tmp_path / "other")) as device:
        complaint = ": [SSL: CERTIFICATE_VERIFY_FAILED]"
        wait_for(lambda: device.log_text().count(complaint) >= 3, what="complaints")
    assert points(pipeline.influx, sensor) == {}
    with example(tmp_path, server.port, server.authority):
        wait_points(pipeline.influx, sensor, 3)
