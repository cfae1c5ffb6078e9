"""The engine, the Compose versions and the images that these tests share."""

import contextlib
import re
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import docker
import pytest
from docker import DockerClient

from run.configuration import ROOT
from tests.compose import compose_cli
from tests.compose.engine import engine
from tests.compose.images import OURS, Images, build, choose, pinned
from tests.compose.project import Project

NOTES = pytest.StashKey[list[str]]()
NOT_TESTED = "NOT TESTED:"
Note = Callable[[str], None]


def pytest_configure(config: pytest.Config) -> None:
    config.stash[NOTES] = []


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Print the notes: first what was measured, then what was not tested."""
    if lines := config.stash[NOTES]:
        terminalreporter.section("compose")
        for line in sorted(lines, key=lambda line: line.startswith(NOT_TESTED)):
            terminalreporter.write_line(line)


@pytest.fixture(scope="session")
def note(pytestconfig: pytest.Config) -> Note:
    """A function that adds a line to the summary at the end of the run."""
    return pytestconfig.stash[NOTES].append


@pytest.fixture(scope="session")
def client(tmp_path_factory: pytest.TempPathFactory, note: Note) -> Iterator[DockerClient]:
    """The engine."""
    with (
        engine(tmp_path_factory.mktemp("engine")) as origin,
        contextlib.closing(docker.from_env(timeout=120)) as client,
    ):
        note(f"engine: {client.version()['Version']}, {origin}")
        yield client


@pytest.fixture(scope="session")
def images(client: DockerClient, tmp_path_factory: pytest.TempPathFactory, note: Note) -> Images:
    """The images to run: upstream's, or the stand-ins."""
    begin = time.monotonic()
    directory = tmp_path_factory.mktemp("images")
    images = choose(client, directory)
    shutil.rmtree(directory)
    kind = "stand-ins from Debian packages" if images.build_arguments else "upstream's"
    note(f"images: {kind}, available after {time.monotonic() - begin:.1f} s")
    for name in sorted(set(pinned()) - set(images.services)):
        note(f"{NOT_TESTED} {name}: its image {pinned()[name]} is not available")
    return images


def find_compose(wanted: str, config: pytest.Config) -> compose_cli.Command:
    """Return the Compose command of that version; skip the test when it is not available."""
    assert config.cache
    command = compose_cli.find(wanted, config.cache.mkdir("compose"))
    if command is None:
        pytest.skip(
            f"Compose {wanted} is neither installed nor available from this system's packages"
        )
    return command


@pytest.fixture(scope="session", params=[compose_cli.OLD, compose_cli.NEW])
def compose(
    request: pytest.FixtureRequest, pytestconfig: pytest.Config, note: Note
) -> compose_cli.Command:
    command = find_compose(request.param, pytestconfig)
    note(f"compose: {compose_cli.version(command)}")
    return command


@pytest.fixture(scope="module")
def stack(
    client: DockerClient,
    compose: compose_cli.Command,
    images: Images,
    tmp_path_factory: pytest.TempPathFactory,
    note: Note,
) -> Iterator[Project]:
    """A stack brought up from a clean state, once with each Compose version."""
    with Project(client, compose, images, tmp_path_factory.mktemp("project")) as project:
        for name in OURS:
            with contextlib.suppress(docker.errors.ImageNotFound):
                client.images.remove(images.names[name], force=True)
        begin = time.monotonic()
        log = project.up()
        assert not re.search(rf"({'|'.join(OURS)}) Pull", log), log
        project.wait_healthy()
        took = time.monotonic() - begin
        note(
            f"compose {compose_cli.version(compose)}: built, started and healthy after {took:.1f} s"
        )
        yield project


@pytest.fixture(scope="module")
def new_project(
    client: DockerClient,
    images: Images,
    pytestconfig: pytest.Config,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Project]:
    """A stack that is not started, for tests that need docker compose 2.x only."""
    command = find_compose(compose_cli.NEW, pytestconfig)
    with Project(client, command, images, tmp_path_factory.mktemp("project")) as project:
        yield project


@pytest.fixture(scope="session")
def context(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An unchanging copy of everything that the images are built from."""
    directory = tmp_path_factory.mktemp("context")
    for name in ("Dockerfile", ".dockerignore", "requirements.txt"):
        shutil.copy(ROOT / name, directory)
    for package in ("telemetry", "device", "collector", "bridge"):
        shutil.copytree(ROOT / package, directory / package)
    return directory


@pytest.fixture(scope="session")
def built(client: DockerClient, images: Images, context: Path, note: Note) -> dict[str, Any]:
    """Our three images, built with the engine's own builder."""
    built = {}
    for target in OURS:
        begin = time.monotonic()
        built[target], _ = build(client, images, target, context)
        size = built[target].attrs["Size"] / 1e6
        note(f"image {target}: {size:.0f} MB, built in {time.monotonic() - begin:.1f} s")
    return built
