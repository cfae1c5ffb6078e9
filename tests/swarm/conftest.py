"""The cells on three machines, made once for all tests."""

from collections.abc import Iterator

import pytest

from tests.swarm.cells import Cells
from tests.swarm.engine import require_engine
from tests.swarm.images import save
from tests.swarm.swarm import Swarm


@pytest.fixture(scope="session")
def cells(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cells]:
    require_engine()
    assert pytestconfig.cache
    archive = tmp_path_factory.mktemp("images") / "images.tar"
    images = save(pytestconfig.cache.mkdir("swarm"), archive)
    with Swarm(tmp_path_factory.mktemp("swarm")) as swarm:
        swarm.load(archive)
        archive.unlink()
        with Cells(swarm, images, tmp_path_factory.mktemp("cells")) as cells:
            yield cells
