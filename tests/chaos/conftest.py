"""One running pipeline for all scenarios."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chaos.rig import Rig

SEED = 7


class Rigs:
    """One pipeline for all scenarios; after a red verdict, the next gets a new one."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._count = 0
        self._rig: Rig | None = None

    def get(self) -> Rig:
        """Return the running one."""
        if self._rig is None:
            self._count += 1
            self._rig = Rig(self._directory / str(self._count), seed=SEED)
            self._rig.start()
        self._rig.clean = False
        return self._rig

    def put_back(self) -> None:
        """Do away with it if it is not clean."""
        if self._rig and not self._rig.clean:
            self.close()

    def close(self) -> None:
        """Stop what runs."""
        if self._rig:
            self._rig.stop()
            self._rig = None


@pytest.fixture(scope="package")
def rigs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rigs]:
    rigs = Rigs(tmp_path_factory.mktemp("chaos"))
    yield rigs
    rigs.close()


@pytest.fixture
def rig(rigs: Rigs) -> Iterator[Rig]:
    yield rigs.get()
    rigs.put_back()
