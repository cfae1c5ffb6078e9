"""The processes of the Procfile under honcho."""

import os
import signal
import threading

from honcho.environ import parse_procfile
from honcho.manager import Manager

from run.configuration import ROOT
from run.place import Place

RETRY_S = 0.05


class Pipeline(Manager):  # type: ignore[misc]
    """Broker, database, collector, bridge, simulator, and the dashboard where there is one."""

    def __init__(self, place: Place) -> None:
        super().__init__()
        self._pid = os.getpid()
        environment = place.environment()
        procfile = parse_procfile((ROOT / "Procfile").read_text(encoding="utf-8"))
        for name, command in procfile.processes.items():
            if name != "dashboard" or place.has_grafana:
                self.add_process(name, command, env=environment, cwd=str(ROOT))

    def run(self) -> int:
        """Run until a signal comes or a process ends; return the exit code."""
        # A closed terminal ends the pipeline as Ctrl-C does.
        signal.signal(signal.SIGHUP, lambda *_: os.kill(os.getpid(), signal.SIGTERM))
        self.loop()
        return int(self.returncode)

    def terminate(self) -> None:
        """End every process, also when the signal comes while honcho still starts them.

        Until then it does not know all their ids, and its helpers would act on the signal too.
        """
        if os.getpid() != self._pid:
            return
        if self._all_started():
            super().terminate()
        else:
            threading.Timer(RETRY_S, self.terminate).start()
