"""A Docker engine: the one that is there, or one that is installed, started and stopped again."""

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


def answers() -> bool:
    """Whether an engine can be spoken to, where DOCKER_HOST or the usual socket leads."""
    try:
        # Not the SDK: it leaves a socket open each time that nobody answers.
        asked = subprocess.run(["docker", "version"], capture_output=True, check=False)
    except FileNotFoundError:
        return False
    return asked.returncode == 0


@contextlib.contextmanager
def engine(directory: Path) -> Iterator[str]:
    """Have an engine while the block runs; yield a sentence that says whose it is.

    RuntimeError where there is none and none can be started.
    """
    if answers():
        yield "the engine that was there"
        return
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise RuntimeError(
            "these tests need a Docker engine, or root on Debian to install and start one"
        )
    if not shutil.which("dockerd", path=SEARCH_PATH):
        require(["docker.io", "iptables"])
    with _dockerd(directory / "dockerd.log"):
        yield "an engine started for this run, stopped after it"


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
        wait_for(lambda: process.poll() is not None or answers(), START_S, "dockerd answers")
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
