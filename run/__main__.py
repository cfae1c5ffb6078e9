"""`python -m run`: set up what is missing, then run the pipeline.

Runs before the Python environment exists, so it uses only the standard library.
"""

import argparse
import os
import sys

from run import environment
from run.console import say, say_trouble
from run.setup import prepare
from run.terminal import foreground
from run.workspace import Workspace, WorkspaceError

NEEDED = ("mosquitto", "influxdb")
OF_THE_README = ("mosquitto-clients", "curl")


def main() -> int:
    """Set up; return the exit code, unless this process becomes the pipeline."""
    argparse.ArgumentParser(
        prog="python -m run",
        description="Runs the whole pipeline until Ctrl-C. Its settings are environment variables:"
        " see docs/settings.md.",
    ).parse_args()
    try:
        Workspace.from_environment(os.environ).check()
        with foreground():
            prepare(NEEDED, OF_THE_README, environment.RUN_LOCK)
    except WorkspaceError as error:
        say_trouble(f"make run: {error}")
        return 1
    except KeyboardInterrupt:
        say("Interrupted. Nothing is half done: the next `make run` goes on.")
        return 0
    python = str(environment.PYTHON)
    return os.execv(python, [python, "-m", "run.pipeline"])


if __name__ == "__main__":
    sys.exit(main())
