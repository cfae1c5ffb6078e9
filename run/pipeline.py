"""Runs the processes of the Procfile with honcho."""

import os
import signal
import threading

from honcho.environ import parse_procfile
from honcho.manager import Manager

from run.configuration import ROOT
from run.workspace import Workspace

RETRY_S = 0.05


class Pipeline(Manager):  # type: ignore[misc]
    """The processes of the Procfile; the dashboard only if Grafana is installed."""

    def __init__(self, workspace: Workspace) -> None:
        super().__init__()
        self._pid = os.getpid()
        environment = workspace.environment()
        procfile = parse_procfile((ROOT / "Procfile").read_text(encoding="utf-8"))
        for name, command in procfile.processes.items():
            if name != "dashboard" or workspace.has_grafana:
                self.add_process(name, command, env=environment, cwd=str(ROOT))

    def run(self) -> int:
        """Run until a signal arrives or a process exits; return the exit code."""
        # Closing the terminal stops the pipeline as Ctrl-C does.
        signal.signal(signal.SIGHUP, lambda *_: os.kill(os.getpid(), signal.SIGTERM))
        self.loop()
        return int(self.returncode)

    def terminate(self) -> None:
        """Terminate every process, even if the signal arrives while honcho is starting them.

        While it is, honcho does not know all process ids yet. Its helper processes inherit the
        signal handlers, so they would run this too; they must not.
        """
        if os.getpid() != self._pid:
            return
        if self._all_started():
            super().terminate()
        else:
            threading.Timer(RETRY_S, self.terminate).start()
