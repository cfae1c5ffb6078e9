"""A pipeline that the tests of this folder share: what one breaks it mends."""

import itertools
from collections.abc import Iterator

import pytest

from tests.stack import Stack

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Give all four parts, running."""
    stack = Stack(tmp_path_factory.mktemp("end_to_end"))
    stack.collector.env["STORED_TIMEOUT_S"] = "1"
    with stack:
        yield stack


@pytest.fixture
def sensor() -> str:
    """Give a sensor id that no other test has."""
    return f"s{next(_numbers)}"
