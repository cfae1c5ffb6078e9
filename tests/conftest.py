"""The real parts that tests ask for by name."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.stack import Broker, Influx, Stack


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """Give the broker that all tests share: use topics of your own, and do not stop it."""
    with Broker(tmp_path_factory.mktemp("broker")) as broker:
        yield broker


@pytest.fixture(scope="session")
def influx(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Influx]:
    """Give the database that all tests share: use databases of your own, and do not stop it."""
    with Influx(tmp_path_factory.mktemp("influx")) as influx:
        yield influx


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    """Give the whole pipeline, running, to one test alone, which may break it at will."""
    with Stack(tmp_path) as stack:
        yield stack
