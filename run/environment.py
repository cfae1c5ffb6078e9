"""`python -m run.environment DIRECTORY`: create the Python environment from the lock file.

Runs before that environment exists, so it uses only the standard library.
"""

import argparse
import importlib.util
import subprocess
import sys
from pathlib import Path

from run.configuration import ROOT
from run.packages import require

OLDEST = (3, 11)


def make(directory: Path) -> None:
    """Create the environment in `directory` if it is missing, and install the locked packages."""
    _check_version()
    python = directory / "bin" / "python"
    if not python.exists():
        if not importlib.util.find_spec("ensurepip"):
            require([f"python3.{sys.version_info.minor}-venv"])
        subprocess.run([sys.executable, "-m", "venv", str(directory)], check=True)
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    lock = str(ROOT / "requirements-dev.txt")
    subprocess.run([*pip, "--require-hashes", "--no-deps", "--requirement", lock], check=True)


def _check_version() -> None:
    if sys.version_info < OLDEST:
        version = ".".join(map(str, OLDEST))
        sys.exit(
            f"Python {version} or newer is required, but {sys.executable} is older. "
            f"Use another one: make PYTHON=python{version} ..."
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m run.environment", description=__doc__)
    parser.add_argument("directory", type=Path)
    try:
        make(parser.parse_args().directory)
    except subprocess.CalledProcessError as failed:
        sys.exit(f"failed: {' '.join(failed.cmd)}")
