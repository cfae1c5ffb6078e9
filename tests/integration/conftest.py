"""A pipeline that the tests of this folder share: post under sensor ids of your own."""

import itertools
from collections.abc import Iterator

import httpx
import pytest

from tests.integration.posting import client
from tests.stack import Stack

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Give all four parts, running; whoever pauses one resumes it, and nobody stops one."""
    with Stack(tmp_path_factory.mktemp("pipeline")) as stack:
        yield stack


@pytest.fixture(scope="session")
def http(pipeline: Stack) -> Iterator[httpx.Client]:
    """Give a client of the shared collector."""
    with client(pipeline.collector) as http:
        yield http


@pytest.fixture
def sensor() -> str:
    """Give a sensor id that no other test has."""
    return f"sensor {next(_numbers)}"
