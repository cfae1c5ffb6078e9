"""Pipelines shared by the tests of this folder: use the `sensor` fixture for your readings."""

import itertools
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.integration.http_connection import Connection, Dial
from tests.integration.live_events import Live
from tests.integration.posting import client
from tests.stack import Influx, Stack

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """All four parts, running. A test may pause a part if it resumes it, and must not stop any."""
    with Stack(tmp_path_factory.mktemp("pipeline")) as stack:
        yield stack


@pytest.fixture(scope="session")
def restartable(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """All four parts, running. A test may stop or kill a part if it starts it again."""
    stack = Stack(tmp_path_factory.mktemp("restartable"))
    stack.collector.env["STORED_TIMEOUT_S"] = "1"
    with stack:
        yield stack


@pytest.fixture(scope="session")
def http(pipeline: Stack) -> Iterator[httpx.Client]:
    """A client of the shared collector."""
    with client(pipeline.collector) as http:
        yield http


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """A collector for viewers of its page, which no test stops."""
    live = Live(tmp_path_factory.mktemp("live"))
    with live.broker, live.collector:
        yield live


@pytest.fixture
def own_influx(tmp_path: Path) -> Iterator[Influx]:
    """An InfluxDB that may be killed, and that looks for what has expired each second."""
    influx = Influx(tmp_path / "influx")
    influx.env |= {
        "INFLUXDB_RETENTION_CHECK_INTERVAL": "1s",
        "INFLUXDB_CONTINUOUS_QUERIES_ENABLED": "false",  # of which these tests say nothing
    }
    with influx:
        yield influx


@pytest.fixture
def sensor() -> str:
    """A sensor id that no other test has."""
    return f"sensor {next(_numbers)}"


@pytest.fixture
def dial(pipeline: Stack) -> Iterator[Dial]:
    """A function that opens connections, which are closed after the test."""
    opened: list[Connection] = []

    def dial() -> Connection:
        opened.append(Connection(pipeline.collector.port))
        return opened[-1]

    yield dial
    for connection in opened:
        connection.close()
