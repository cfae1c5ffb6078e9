"""The two supported versions of Compose: docker-compose 1.29 and docker compose 2.x."""

import os
import re
import shutil
import subprocess
from pathlib import Path

from run.packages import require
from tests.compose.debian import RELEASE, unpack

Command = tuple[str, ...]
OLD, NEW = "1.29", "2"


def version(command: Command) -> str:
    """Return the version of a Compose command, such as 1.29.2; empty when it cannot run."""
    try:
        process = subprocess.run(
            [*command, "version", "--short"], capture_output=True, text=True, check=False
        )
    except FileNotFoundError:
        return ""
    found = re.search(r"\d+\.\d+\.\d+", process.stdout)
    return found[0] if found and process.returncode == 0 else ""


def find(wanted: str, directory: Path) -> Command | None:
    """Return the Compose command of version `wanted` (OLD or NEW), or None.

    If it is missing, and this is root on Debian, OLD is installed from the system's packages, and
    NEW is unpacked into `directory`.
    """
    for command in (("docker-compose",), ("docker", "compose")):
        if version(command).startswith(f"{wanted}."):
            return command
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        return None
    if wanted == NEW:
        return _unpack_plugin(directory)
    if f" {OLD}." in _candidate("docker-compose"):
        require(["docker-compose"])
        return ("docker-compose",)
    return None


def _unpack_plugin(directory: Path) -> Command:
    """Return the plugin from RELEASE's package; it also runs on its own."""
    plugin = Path("docker-compose/usr/libexec/docker/cli-plugins/docker-compose")
    if not version((str(directory / plugin),)):
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir(parents=True)
        unpack("docker-compose", directory)
    command = (str(directory / plugin),)
    if not version(command):
        raise RuntimeError(f"{command} of {RELEASE} does not run on this machine")
    return command


def _candidate(package: str) -> str:
    subprocess.run(["apt-get", "update", "--quiet"], capture_output=True, check=False)
    policy = subprocess.run(
        ["apt-cache", "policy", package],
        capture_output=True,
        text=True,
        env={**os.environ, "LC_ALL": "C"},
        check=True,
    )
    return next((line for line in policy.stdout.splitlines() if "Candidate:" in line), "")
