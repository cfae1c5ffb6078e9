"""`python -m run.pipeline`: runs the parts of the pipeline until Ctrl-C."""

import argparse
import asyncio
import contextlib
import shlex
import signal
import sys
import time
import urllib.request
from collections.abc import Mapping

from collector.access import certificates, secrets
from collector.formats import Formats
from collector.settings import Settings
from run import parts, settings
from run.configuration import ROOT
from run.console import PartLines, say, say_note, say_trouble
from run.parts import STOP_ORDER
from run.state import State
from run.supervisor import Part, PartFailed, Supervisor
from run.terminal import foreground
from run.workspace import LOOPBACK, Workspace, WorkspaceError
from telemetry.process import ServiceError, leave_no_core_file
from telemetry.settings import load

_POLL_S = 0.1
_open = urllib.request.build_opener(urllib.request.ProxyHandler({})).open  # it is all on loopback


class Pipeline:
    """The parts on their ports, with a simulator once the others are ready."""

    def __init__(self, workspace: Workspace, environ: Mapping[str, str]) -> None:
        self._workspace = workspace
        self._settings = {
            **{name: environ[name] for name in settings.of_the_services() if name in environ},
            **parts.settings(workspace, environ),
        }
        self._environment = parts.environment(workspace, environ)
        self._commands = parts.commands(workspace, environ)
        self._lines = PartLines([command.name for command in self._commands])
        self._state = State(workspace.directory)
        self._started = time.monotonic()

    async def run(self) -> int:
        """Run until a signal arrives; return the exit code: 1 if a part fails at the start."""
        supervisor = Supervisor(self._on_change)
        stopping = self._signalled(supervisor)
        starting = asyncio.create_task(self._start(supervisor))
        await asyncio.wait(
            [starting, supervisor.failed, stopping], return_when=asyncio.FIRST_COMPLETED
        )
        if starting.done():
            starting.result()
            await asyncio.wait([supervisor.failed, stopping], return_when=asyncio.FIRST_COMPLETED)
        starting.cancel()
        failed = supervisor.failed.exception() if supervisor.failed.done() else None
        if not failed:
            say("\nStopping the devices first, broker and database last.")
        await supervisor.stop(STOP_ORDER)
        if isinstance(failed, PartFailed):
            say_trouble(f"make run: {failed}")
            return 1
        if failed:
            raise failed
        say("Stopped. Everything that was accepted is kept; `make run` continues with it.")
        return 0

    async def _start(self, supervisor: Supervisor) -> None:
        *services, simulator = self._commands
        say(f"Starting {', '.join(command.name for command in services)} ...")
        for command in services:
            supervisor.start(self._part(command))
        while not await asyncio.to_thread(self._are_ready):  # noqa: ASYNC110  other processes
            await asyncio.sleep(_POLL_S)
        supervisor.is_ready.set()
        trouble = supervisor.trouble("dashboard") if self._workspace.grafana else "is not installed"
        say(self.summary(time.monotonic() - self._started, trouble))
        supervisor.start(self._part(simulator))

    def _part(self, command: parts.Command) -> Part:
        return Part(command, self._environment, self._lines)

    def _are_ready(self) -> bool:
        """Return whether the collector, with the broker, and the database answer."""
        port = self._workspace.ports
        urls = (
            f"http://127.0.0.1:{port['COLLECTOR_PORT']}/readyz",
            f"http://127.0.0.1:{port['INFLUX_PORT']}/ping",
        )
        try:
            for url in urls:
                with _open(url, timeout=5):
                    pass
        except OSError:
            return False
        return True

    def summary(self, seconds: float, trouble: str | None) -> str:
        """Return the text that tells what one can do now; `trouble` is Grafana's."""
        port, directory = self._workspace.ports, self._workspace.directory
        here = f"RUN_DIR={shlex.quote(str(directory))} " if directory != ROOT / ".run" else ""
        collector = f"http://localhost:{port['COLLECTOR_PORT']}"
        scheme = "https" if self._settings.get("TLS") else "http"
        dashboard = f"{scheme}://localhost:{port['GRAFANA_PORT']}"
        if trouble:
            dashboard = f"Grafana {trouble}"
        return f"""
Ready in {seconds:.1f} s. A simulated sensor, 123, sends a reading each second.

  page       {collector}/
  post       curl {collector}/data -H 'Content-Type: application/json' \\
                  -d '{{"type":"temp","value":21.5,"sensor_id":7}}'
  watch      {here}./pipeline watch
  dashboard  {dashboard}
  audit      {here}./pipeline audit
{self._of_the_network(here)}
Ctrl-C stops it. Every reading that is accepted:
"""

    def _of_the_network(self, here: str) -> str:
        """Return the lines about what is open to others than this machine."""
        port, text = self._workspace.ports, ""
        if self._workspace.bind_address != LOOPBACK:
            text += f"  devices    need a secret: {here}./pipeline devices add NAME --sensors ID\n"
        if tls := self._settings.get("TLS"):
            url = f"https://{tls.split(',')[0]}:{port['COLLECTOR_PORT']}/data"
            text += f"  TLS        {url}, MQTT on port {port['MQTTS_PORT']}; devices trust what\n"
            text += f"             {here}./pipeline certificates authority prints\n"
        return text

    def _on_change(self, pids: Mapping[str, int]) -> None:
        try:
            self._state.write(self._settings, pids)
        except OSError as error:  # a full disk; the parts go on
            say_trouble(f"{self._workspace.directory}/state.json: {error.strerror}")

    def _signalled(self, supervisor: Supervisor) -> asyncio.Future[None]:
        """Return what ends with the first signal; a second one kills the parts."""
        loop = asyncio.get_running_loop()
        stopping: asyncio.Future[None] = loop.create_future()

        def on_signal() -> None:
            if stopping.done():
                supervisor.kill()
            else:
                stopping.set_result(None)

        # Closing the terminal stops the pipeline as Ctrl-C does.
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            # nohup has it ignored.
            if number != signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:
                loop.add_signal_handler(number, on_signal)
        return stopping


def _prepare_accounts(workspace: Workspace, environ: Mapping[str, str]) -> None:
    """Make the passwords and certificates of the services; raises WorkspaceError."""
    given = load(Settings, {**environ, **parts.settings(workspace, environ)})
    password = environ.get("GRAFANA_PASSWORD", "")
    try:
        terms = Formats.of(given).terms(given)
        directory = workspace.directory / parts.SECRETS
        secrets.make(directory, given.accounts, terms, password)
        secrets.make_private(directory)
        if given.tls_names:
            certificates.ensure(given.certificates, given.tls_names)
    except (ServiceError, OSError) as error:
        raise WorkspaceError(str(error)) from None


def main() -> int:
    """Run the pipeline with the settings of the environment; return the exit code."""
    argparse.ArgumentParser(prog="python -m run.pipeline", description=__doc__).parse_args()
    leave_no_core_file()
    try:
        notes = settings.check()
        environ = settings.effective()
        workspace = Workspace.from_environment(environ)
        workspace.prepare()
        _prepare_accounts(workspace, environ)
    except WorkspaceError as error:
        say_trouble(f"make run: {error}")
        return 1
    for note in notes:
        say_note(f"Note: {note}")
    with foreground(), contextlib.suppress(KeyboardInterrupt):  # before the handlers are set
        return asyncio.run(Pipeline(workspace, environ).run())
    return 0


if __name__ == "__main__":
    sys.exit(main())
