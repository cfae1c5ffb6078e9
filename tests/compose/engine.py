"""A Docker engine: the running one, or one installed and started for the tests."""

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from run.configuration import SEARCH_PATH
from run.packages import require
from tests.service import wait_for

START_S = 60.0
STOP_S = 30.0


def is_running() -> bool:
    """Return whether an engine responds at DOCKER_HOST or the default socket."""
    try:
        # Not the SDK: it leaves a socket open when no engine responds.
        process = subprocess.run(["docker", "version"], capture_output=True, check=False)
    except FileNotFoundError:
        return False
    return process.returncode == 0


@contextlib.contextmanager
def engine(directory: Path) -> Iterator[str]:
    """Provide an engine while the block runs; yield a description of where it comes from.

    RuntimeError when there is none and none can be started.
    """
    if is_running():
        yield "already running"
        return
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise RuntimeError(
            "these tests need a Docker engine, or root on Debian to install and start one"
        )
    if not shutil.which("dockerd", path=SEARCH_PATH):
        require(["docker.io", "iptables"])
    with _dockerd(directory / "dockerd.log"):
        yield "started for this run"


@contextlib.contextmanager
def _dockerd(log: Path) -> Iterator[None]:
    with log.open("wb") as output:
        process = subprocess.Popen(
            ["dockerd"],
            env={**os.environ, "PATH": SEARCH_PATH},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        wait_for(lambda: process.poll() is not None or is_running(), START_S, "dockerd responds")
        if process.poll() is not None:
            raise RuntimeError(log.read_text(errors="replace"))
        yield
    finally:
        process.terminate()
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
