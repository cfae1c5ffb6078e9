"""The images of the stack: built on an engine of their own, then loaded on every machine."""

import contextlib
from pathlib import Path

from run.configuration import ROOT
from tests.compose.images import TEST_REPOSITORY, build, choose
from tests.swarm.engine import Engine


def save(cache: Path, archive: Path) -> dict[str, str]:
    """Build what the cells run; return the image of each service.

    The layers are kept in `cache`, the images go into the tar file `archive`.
    """
    with Engine("builder", cache) as engine:
        with contextlib.closing(engine.client()) as client:
            images = choose(client, cache)
            for target in ("collector", "bridge"):
                build(client, images, target, ROOT)
        names = {
            "collector": f"{TEST_REPOSITORY}/collector",
            "bridge": f"{TEST_REPOSITORY}/bridge",
            "broker": images.names["broker"],
        }
        engine.docker("save", "--output", str(archive), *names.values())
        return names
