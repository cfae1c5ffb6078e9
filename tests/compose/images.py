"""The images of the stack: upstream's, or stand-ins when no registry is reachable."""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docker
import yaml
from docker import DockerClient

from run.configuration import ROOT
from tests.compose.debian import CA_BUNDLE, LEFT_OUT, RELEASE, root_file_system

COMPOSE_FILE = ROOT / "docker-compose.yml"
STAND_INS = Path(__file__).parent / "stand_ins"
OURS = ("simulator", "collector", "bridge")
UPSTREAM = ("broker", "db")
TEST_REPOSITORY = "pipeline-test"
"""For images that no stack is started from."""


@dataclass(frozen=True)
class Images:
    """What docker-compose.yml runs with on this machine."""

    files: tuple[Path, ...]
    """Compose files, in order."""
    build_arguments: dict[str, str]
    names: dict[str, str]
    """The image of each service."""
    services: tuple[str, ...]
    """The services that can be started: all, or all but the dashboard."""


def pinned() -> dict[str, str]:
    """Return the image of each service in docker-compose.yml."""
    services = yaml.safe_load(COMPOSE_FILE.read_text(encoding="utf-8"))["services"]
    return {name: service["image"] for name, service in services.items()}


def available(client: DockerClient, image: str) -> bool:
    """Return whether `image` exists locally or in a registry."""
    try:
        client.images.get(image)
    except docker.errors.ImageNotFound:
        try:
            client.images.get_registry_data(image)
        except docker.errors.APIError:
            return False
    return True


def choose(client: DockerClient, directory: Path) -> Images:
    """Return the upstream images if available; otherwise build the stand-ins, in about 45 s."""
    names = pinned()
    services = tuple(
        name for name in names if name != "dashboard" or available(client, names["dashboard"])
    )
    if all(available(client, names[name]) for name in UPSTREAM):
        return Images((COMPOSE_FILE,), {}, names, services)
    debian = _debian(client, directory)
    for target in ("python", *UPSTREAM):
        client.images.build(
            path=str(STAND_INS),
            target=target,
            tag=f"stand-in/{target}",
            buildargs={"DEBIAN": debian},
            network_mode="host",
            rm=True,
        )
    return Images(
        (COMPOSE_FILE, STAND_INS / "docker-compose.yml"),
        {"PYTHON_IMAGE": "stand-in/python"},
        {**names, **{name: f"stand-in/{name}" for name in (*OURS, *UPSTREAM)}},
        services,
    )


def build(client: DockerClient, images: Images, target: str, context: Path) -> tuple[Any, str]:
    """Build one target with the engine's own builder; return the image and the builder's output."""
    image, log = client.images.build(
        path=str(context),
        target=target,
        tag=f"{TEST_REPOSITORY}/{target}",
        buildargs=images.build_arguments,
        network_mode="host",
        rm=True,
    )
    return image, "".join(line.get("stream", "") for line in log)


def _debian(client: DockerClient, directory: Path) -> str:
    """Return the base image of the stand-ins, which the engine keeps for the next run."""
    # If this machine trusts its own CA, pip in a container must trust it too.
    path = Path(os.environ.get("SSL_CERT_FILE", CA_BUNDLE))
    bundle = path if path.is_file() else None
    recipe = hashlib.sha256("\n".join((RELEASE, *LEFT_OUT)).encode())
    recipe.update(bundle.read_bytes() if bundle else b"")
    tag = recipe.hexdigest()[:12]
    name = f"stand-in/debian:{tag}"
    if name not in {known for image in client.images.list() for known in image.tags}:
        client.api.import_image_from_file(
            str(root_file_system(directory, bundle)),
            repository="stand-in/debian",
            tag=tag,
            changes=[f"ENV PIP_CERT={CA_BUNDLE}"] if bundle else [],
        )
    return name
