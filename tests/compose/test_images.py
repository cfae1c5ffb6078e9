"""The three images: their content, and which changes rebuild which layer."""

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
# `true`, because finding nothing must not be a failure.
SEARCH = """
for name in cc gcc g++ make rustc cargo; do command -v $name; done
test -x /venv/bin/pip && echo /venv/bin/pip
find / -xdev -path '*/pip/*' -path '*cache*' -not -path '*/site-packages/*' 2>/dev/null
find /app -name '*.md' -o -name 'test*' -o -name '.git*' -o -name '.env*'
true
"""


def steps(log: str) -> dict[str, str]:
    """Return each step in the classic builder's log with its output."""
    parts = [part.split("\n", 1) for part in log.split("\nStep ")]
    return {first.split(" : ", 1)[-1]: rest for first, rest in (p for p in parts if len(p) > 1)}


USERS = {"collector": "10001:10001", "bridge": "10002:10002", "simulator": "10003:10003"}


@pytest.mark.parametrize("target", OURS)
def test_an_image_is_small_and_runs_as_an_unprivileged_user(
    built: dict[str, Any], target: str
) -> None:
    image = built[target].attrs
    assert image["Size"] < LIMIT_MB * 1e6
    assert image["Config"]["User"] == USERS[target]
    assert image["Config"]["StopSignal"] == "SIGTERM"
    assert image["Config"]["Labels"]["org.opencontainers.image.licenses"] == "MIT"


@pytest.mark.parametrize("target", OURS)
def test_an_image_has_no_compiler_cache_or_unneeded_file(
    client: DockerClient, built: dict[str, Any], target: str
) -> None:
    assert output(client, built[target].id, "sh", "-c", SEARCH, user="0") == ""


def test_the_search_finds_such_files(client: DockerClient, built: dict[str, Any]) -> None:
    create = "install -D /dev/null /root/.cache/pip/x && install -m 755 /dev/null /usr/bin/gcc\n"
    found = output(client, built["bridge"].id, "sh", "-c", create + SEARCH, user="0")
    assert found.split() == ["/usr/bin/gcc", "/root/.cache/pip/x"]


def test_each_image_has_only_its_own_packages(client: DockerClient, built: dict[str, Any]) -> None:
    packages = {
        target: output(client, image.id, "ls", "/app").split() for target, image in built.items()
    }
    assert packages == {
        "simulator": ["device"],
        "collector": ["collector", "telemetry"],
        "bridge": ["bridge", "telemetry"],
    }


@pytest.mark.parametrize("target", OURS)
def test_a_second_build_uses_the_cache_for_every_step(
    client: DockerClient, images: Images, built: dict[str, Any], context: Path, target: str
) -> None:
    again, log = build(client, images, target, context)
    assert again.id == built[target].id
    outputs = [text for step, text in steps(log).items() if not step.startswith(("FROM", "ARG"))]
    assert outputs
    assert all(CACHED in text for text in outputs)


@pytest.mark.usefixtures("built")
def test_a_source_change_reinstalls_no_dependency(
    client: DockerClient, images: Images, context: Path, tmp_path: Path
) -> None:
    copy = shutil.copytree(context, tmp_path / "copy")
    source = copy / "collector" / "__init__.py"
    source.write_text("CHANGED = True\n")
    source.chmod(0o600)  # as in a checkout that other users cannot read
    changed, log = build(client, images, "collector", copy)
    assert install_was_cached(log)
    assert output(client, changed.id, "python", "-c", "import collector; collector.CHANGED") == ""
    (copy / "requirements.txt").write_text(f"# {secrets.token_hex()}\n")
    _, log = build(client, images, "collector", copy)
    assert not install_was_cached(log), "a reinstallation would not be detected"


def install_was_cached(log: str) -> bool:
    (install,) = [text for step, text in steps(log).items() if INSTALL in step]
    return CACHED in install
