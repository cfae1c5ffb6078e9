"""`python -m run.setup [PACKAGE...]`: the Python environment for development, and packages.

Everything that is missing is found first, and named in one command where it cannot be installed.
Runs before the Python environment exists, so it uses only the standard library.
"""

import argparse
import sys
from collections.abc import Sequence

from run import environment, packages
from run.console import say


def prepare(needed: Sequence[str], wanted: Sequence[str], lock: str) -> None:
    """Install what is missing; `wanted` is for commands that the README shows.

    Exits with the command that installs all of it if this user cannot, and something is needed.
    """
    environment.check_version()
    with environment.alone():
        _prepare(needed, wanted, lock)


def _prepare(needed: Sequence[str], wanted: Sequence[str], lock: str) -> None:
    finished = environment.is_finished(lock)
    missing = packages.missing(needed)
    if not finished and (venv := environment.missing_package()):
        missing.insert(0, venv)
    absent = [*missing, *packages.missing(wanted)]
    if absent and not packages.can_install():
        if missing:
            sys.exit(
                f"Not installed: {', '.join(absent)}. This command installs it without starting"
                f" any service; then try again:\n  {packages.command(absent)}"
            )
        say(
            f"Not installed, and used in the README: {', '.join(absent)}."
            f" To install: {packages.command(absent)}"
        )
        absent = []
    if absent or not finished:
        say("Setting up:")
    packages.install(absent)
    if not finished:
        environment.make(lock)


def main() -> int:
    """Prepare for development; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m run.setup", description=__doc__)
    parser.add_argument("packages", nargs="*", metavar="PACKAGE", help="Debian packages needed")
    needed = parser.parse_args().packages
    if unknown := [name for name in needed if name not in packages.PROGRAMS]:
        parser.error(f"{unknown[0]}: expected one of {', '.join(packages.PROGRAMS)}")
    try:
        prepare(needed, [], environment.DEV_LOCK)
    except KeyboardInterrupt:
        say("Interrupted. Nothing is half done: the next `make` goes on.")
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
