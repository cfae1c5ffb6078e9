"""The pipeline that all scenarios share."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chaos.rig import Rig

SEED = 7


class SharedRig:
    """One running rig for all tests; after a test that found a violation it is replaced."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._count = 0
        self._rig: Rig | None = None

    def get(self) -> Rig:
        if self._rig is None:
            self._count += 1
            self._rig = Rig(self._directory / str(self._count), seed=SEED)
            self._rig.start()
        self._rig.clean = False
        return self._rig

    def put_back(self) -> None:
        if self._rig and not self._rig.clean:
            self.close()

    def close(self) -> None:
        if self._rig:
            self._rig.stop()
            self._rig = None


@pytest.fixture(scope="package")
def shared_rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SharedRig]:
    shared_rig = SharedRig(tmp_path_factory.mktemp("chaos"))
    yield shared_rig
    shared_rig.close()


@pytest.fixture
def rig(shared_rig: SharedRig) -> Iterator[Rig]:
    yield shared_rig.get()
    shared_rig.put_back()
