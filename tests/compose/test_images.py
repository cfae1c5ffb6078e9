"""The three images: what is in them, what is not, and when a layer is built again."""

import secrets
import shutil
from pathlib import Path
from typing import Any

import pytest
from docker import DockerClient

from tests.compose.images import OURS, Images, build
from tests.compose.program import output

LIMIT_MB = 200
INSTALL = "pip install"
CACHED = "Using cache"
# Nothing found: the last command's exit code must not matter.
SEARCH = """
for name in cc gcc g++ make rustc cargo; do command -v $name; done
test -x /venv/bin/pip && echo /venv/bin/pip
find / -xdev -path '*/pip/*' -path '*cache*' -not -path '*/site-packages/*' 2>/dev/null
find /app -name '*.md' -o -name 'test*' -o -name '.git*' -o -name '.env*'
true
"""


def steps(log: str) -> dict[str, str]:
    """Return each step of the classic builder with what it did."""
    parts = [part.split("\n", 1) for part in log.split("\nStep ")]
    return {first.split(" : ", 1)[-1]: rest for first, rest in (p for p in parts if len(p) > 1)}


@pytest.mark.parametrize("target", OURS)
def test_an_image_is_small_and_runs_as_nobody_special(built: dict[str, Any], target: str) -> None:
    image = built[target].attrs
    assert image["Size"] < LIMIT_MB * 1e6
    assert image["Config"]["User"] == "10001:10001"
    assert image["Config"]["StopSignal"] == "SIGTERM"
    assert image["Config"]["Labels"]["org.opencontainers.image.licenses"] == "MIT"


@pytest.mark.parametrize("target", OURS)
def test_an_image_holds_no_compiler_cache_or_other_file(
    client: DockerClient, built: dict[str, Any], target: str
) -> None:
    assert output(client, built[target].id, "sh", "-c", SEARCH, user="0") == ""


def test_the_search_would_find_something(client: DockerClient, built: dict[str, Any]) -> None:
    spoil = "install -D /dev/null /root/.cache/pip/x && install -m 755 /dev/null /usr/bin/gcc\n"
    found = output(client, built["bridge"].id, "sh", "-c", spoil + SEARCH, user="0")
    assert found.split() == ["/usr/bin/gcc", "/root/.cache/pip/x"]


def test_each_image_holds_its_own_service_alone(
    client: DockerClient, built: dict[str, Any]
) -> None:
    rooms = {
        target: output(client, image.id, "ls", "/app").split() for target, image in built.items()
    }
    assert rooms == {
        "simulator": ["device"],
        "collector": ["collector", "telemetry"],
        "bridge": ["bridge", "telemetry"],
    }


@pytest.mark.parametrize("target", OURS)
def test_building_again_uses_the_cache_for_everything(
    client: DockerClient, images: Images, built: dict[str, Any], context: Path, target: str
) -> None:
    again, log = build(client, images, target, context)
    assert again.id == built[target].id
    done = [did for step, did in steps(log).items() if not step.startswith(("FROM", "ARG"))]
    assert done
    assert all(CACHED in did for did in done)


@pytest.mark.usefixtures("built")
def test_a_changed_line_of_source_reinstalls_nothing(
    client: DockerClient, images: Images, context: Path, tmp_path: Path
) -> None:
    copy = shutil.copytree(context, tmp_path / "copy")
    source = copy / "collector" / "__init__.py"
    source.write_text("CHANGED = True\n")
    source.chmod(0o600)  # as in a checkout that is nobody else's business
    changed, log = build(client, images, "collector", copy)
    assert install_was_cached(log)
    assert output(client, changed.id, "python", "-c", "import collector; collector.CHANGED") == ""
    (copy / "requirements.txt").write_text(f"# {secrets.token_hex()}\n")
    _, log = build(client, images, "collector", copy)
    assert not install_was_cached(log), "this test would not notice"


def install_was_cached(log: str) -> bool:
    (did,) = [did for step, did in steps(log).items() if INSTALL in step]
    return CACHED in did
