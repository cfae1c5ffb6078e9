"""The engine, both Compose versions and the images that these tests share."""

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
LEFT_OUT = "NOT TESTED:"
Note = Callable[[str], None]


def pytest_configure(config: pytest.Config) -> None:
    """Keep the lines that the run ends with."""
    config.stash[NOTES] = []


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """End the run with what was measured and what was left out."""
    if lines := config.stash[NOTES]:
        terminalreporter.section("compose")
        for line in sorted(lines, key=lambda line: line.startswith(LEFT_OUT)):
            terminalreporter.write_line(line)


@pytest.fixture(scope="session")
def note(pytestconfig: pytest.Config) -> Note:
    """Give what takes a line for the end of the run."""
    return pytestconfig.stash[NOTES].append


@pytest.fixture(scope="session")
def client(tmp_path_factory: pytest.TempPathFactory, note: Note) -> Iterator[DockerClient]:
    """Give the engine; an error where somebody else's containers have the names of ours."""
    with (
        engine(tmp_path_factory.mktemp("engine")) as whose,
        contextlib.closing(docker.from_env(timeout=120)) as client,
    ):
        note(f"engine: {client.version()['Version']}, {whose}")
        there = {container.name for container in client.containers.list(all=True)}
        if taken := sorted(there & set(pinned())):
            pytest.fail(f"containers of these names exist already: {', '.join(taken)}")
        yield client


@pytest.fixture(scope="session")
def images(client: DockerClient, tmp_path_factory: pytest.TempPathFactory, note: Note) -> Images:
    """Give the images to run with: upstream's, or the stand-ins."""
    begin = time.monotonic()
    directory = tmp_path_factory.mktemp("images")
    images = choose(client, directory)
    shutil.rmtree(directory)
    kind = "stand-ins from Debian packages" if images.build_arguments else "upstream's"
    note(f"images: {kind}, at hand after {time.monotonic() - begin:.1f} s")
    for name in sorted(set(pinned()) - set(images.services)):
        note(f"{LEFT_OUT} {name}: its image {pinned()[name]} cannot be had here")
    return images


def find_compose(wanted: str, config: pytest.Config) -> compose_cli.Command:
    """Return the Compose of that version; skip where it cannot be had."""
    assert config.cache
    command = compose_cli.find(wanted, config.cache.mkdir("compose"))
    if command is None:
        pytest.skip(f"Compose {wanted} is neither here nor to be had from this system's packages")
    return command


@pytest.fixture(scope="session", params=[compose_cli.OLD, compose_cli.NEW])
def compose(
    request: pytest.FixtureRequest, pytestconfig: pytest.Config, note: Note
) -> compose_cli.Command:
    """Give each Compose in turn."""
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
    """Give a stack brought up from a clean state; once for each Compose. It leaves nothing."""
    with Project(client, compose, images, tmp_path_factory.mktemp("project")) as project:
        for name in OURS:
            with contextlib.suppress(docker.errors.ImageNotFound):
                client.images.remove(images.names[name], force=True)
        begin = time.monotonic()
        told = project.up()
        assert not re.search(rf"({'|'.join(OURS)}) Pull", told), told
        project.wait_healthy()
        took = time.monotonic() - begin
        note(f"compose {compose_cli.version(compose)}: built, started and healthy after {took:.1f} s")
        yield project


@pytest.fixture(scope="module")
def new_project(
    client: DockerClient,
    images: Images,
    pytestconfig: pytest.Config,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Project]:
    """Give docker compose 2.x's alone, not started: for what does not depend on who starts it."""
    command = find_compose(compose_cli.NEW, pytestconfig)
    with Project(client, command, images, tmp_path_factory.mktemp("project")) as project:
        yield project


@pytest.fixture(scope="session")
def context(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a copy of all that an image is built from, which stays as it is."""
    directory = tmp_path_factory.mktemp("context")
    for name in ("Dockerfile", ".dockerignore", "requirements.txt"):
        shutil.copy(ROOT / name, directory)
    for room in ("telemetry", "device", "collector", "bridge"):
        shutil.copytree(ROOT / room, directory / room)
    return directory


@pytest.fixture(scope="session")
def built(client: DockerClient, images: Images, context: Path, note: Note) -> dict[str, Any]:
    """Give our three images as the engine's own builder makes them."""
    made = {}
    for target in OURS:
        begin = time.monotonic()
        made[target], _ = build(client, images, target, context)
        size = made[target].attrs["Size"] / 1e6
        note(f"image {target}: {size:.0f} MB, built in {time.monotonic() - begin:.1f} s")
    return made
