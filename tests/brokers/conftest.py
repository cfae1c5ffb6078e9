"""A pipeline on another broker, where that is installed: make test-brokers."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.brokers.pipeline import Pipeline
from tests.brokers.programs import BROKERS


@pytest.fixture(scope="package", params=BROKERS, ids=lambda kind: kind.kind)
def other(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Pipeline]:
    """All four parts, running. A test may stop or kill a part if it starts it again."""
    kind = request.param
    if not kind.is_installed():
        pytest.skip(f"{kind.program} is not installed")
    with ExitStack() as stack:
        pipeline = Pipeline(tmp_path_factory.mktemp(kind.kind), kind)
        stack.callback(pipeline.stop)
        pipeline.start()
        yield pipeline
