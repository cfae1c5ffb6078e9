"""The Python environment, made from the lock file; it counts only when it was finished.

Runs before that environment exists, so it uses only the standard library.
"""

import contextlib
import fcntl
import hashlib
import importlib.util
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator

from run.configuration import ROOT
from run.console import say, step

VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
RUN_LOCK, DEV_LOCK = "requirements.txt", "requirements-dev.txt"
OLDEST = (3, 11)
_FINISHED = VENV / "finished"
_MAX_LINES = 15
# They lead Python and pip to another environment than this one.
_ELSEWHERE = {
    *("PYTHONHOME", "PYTHONPATH", "PIP_TARGET", "PIP_PREFIX", "PIP_ROOT", "PIP_USER"),
    *("PIP_DRY_RUN", "PIP_PYTHON"),
}
_COMPARE = """
import importlib.metadata, json, sys
for name, version in json.loads(sys.argv[1]).items():
    assert importlib.metadata.version(name) == version, name
"""


def check_version() -> None:
    """Exit unless this Python is new enough."""
    if sys.version_info < OLDEST:
        version = ".".join(map(str, OLDEST))
        sys.exit(
            f"Python {version} or newer is required, but {sys.executable} is older. "
            f"Use another one: make PYTHON=python{version} ..."
        )


def is_finished(lock: str) -> bool:
    """Return whether the environment has the packages of a lock file as it is now."""
    return PYTHON.exists() and _mark(lock) in _marks()


def missing_package() -> str | None:
    """Return the Debian package without which no environment can be made, None if it is there."""
    if importlib.util.find_spec("ensurepip") or PYTHON.exists():
        return None
    return f"python3.{sys.version_info.minor}-venv"


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """Let no other process of this checkout change the environment meanwhile; wait for it."""
    with (ROOT / RUN_LOCK).open("rb") as file:  # any file that is always there
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("Another setup of this checkout is under way: waiting for its end.")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def make(lock: str) -> None:
    """Create the environment or bring it up to the lock file; exits if that fails.

    To be called while `alone`.
    """
    locks = [RUN_LOCK] if lock == RUN_LOCK else [RUN_LOCK, lock]  # the latter holds the former
    fresh = not any(_is_of_this_python(mark) for mark in _marks())
    _FINISHED.unlink(missing_ok=True)  # what follows may be interrupted
    if fresh:
        with step(f"Python environment {VENV.name}"):
            _run([sys.executable, "-m", "venv", "--clear", str(VENV)])
    with step(f"{len(_packages(lock))} Python packages (pip install)"):
        pip = [str(PYTHON), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        _run([*pip, "--require-hashes", "--no-deps", "--requirement", str(ROOT / lock)])
    check(lock)
    partial = _FINISHED.with_suffix(".partial")
    partial.write_text("".join(f"{_mark(name)}\n" for name in locks), encoding="utf-8")
    partial.replace(_FINISHED)


def check(lock: str) -> None:
    """Exit unless the packages are there: pip's settings may have sent them elsewhere."""
    _run([str(PYTHON), "-c", _COMPARE, json.dumps(_packages(lock))])


def _packages(lock: str) -> dict[str, str]:
    """Return the versions by name, without those for other systems."""
    text = (ROOT / lock).read_text(encoding="utf-8")
    return dict(re.findall(r"^([a-z0-9._-]+)==(\S+) \\$", text, re.MULTILINE))


def _marks() -> list[str]:
    try:
        return _FINISHED.read_text(encoding="utf-8").splitlines()
    except OSError:
        return []


def _mark(lock: str) -> str:
    digest = hashlib.sha256((ROOT / lock).read_bytes()).hexdigest()
    return f"{lock} {digest} {_this_python()}"


def _is_of_this_python(mark: str) -> bool:
    return PYTHON.exists() and mark.endswith(f" {_this_python()}")


def _this_python() -> str:
    # An environment cannot be moved: its scripts name the directory.
    return f"{sys.version_info.major}.{sys.version_info.minor} {VENV}"


def _run(argv: list[str]) -> None:
    environment = {name: text for name, text in os.environ.items() if name not in _ELSEWHERE}
    done = subprocess.run(argv, check=False, capture_output=True, text=True, env=environment)
    if done.returncode:
        lines = (done.stdout + done.stderr).splitlines()[-_MAX_LINES:]
        sys.exit("\n".join([*lines, f"failed: {' '.join(argv)}"]))
