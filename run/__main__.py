"""`python -m run`: check and prepare the workspace, then run the pipeline."""

import argparse
import os
import sys

from run.pipeline import Pipeline
from run.workspace import Workspace, WorkspaceError

argparse.ArgumentParser(
    prog="python -m run",
    description="Runs the whole pipeline until Ctrl-C. Its settings are environment variables: see "
    "docs/settings.md.",
).parse_args()
try:
    workspace = Workspace.from_environment(os.environ)
    workspace.prepare()
except WorkspaceError as error:
    sys.exit(f"make run: {error}")
print(workspace.summary(), flush=True)  # noqa: T201
sys.exit(Pipeline(workspace).run())
