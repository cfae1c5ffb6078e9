"""Signals as on a terminal, and real services that tests ask for by name."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.stack import Broker, Influx, Stack

# A script's background jobs ignore SIGINT, and so would every process that the tests start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """One broker for all tests: use topics of your own, and do not stop it."""
    with Broker(tmp_path_factory.mktemp("broker")) as broker:
        yield broker


@pytest.fixture(scope="session")
def influx(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Influx]:
    """One InfluxDB for all tests: use databases of your own, and do not stop it."""
    with Influx(tmp_path_factory.mktemp("influx")) as influx:
        yield influx


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    """A running pipeline for one test, which may stop or break any part of it."""
    with Stack(tmp_path) as stack:
        yield stack
