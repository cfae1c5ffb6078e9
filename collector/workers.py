"""Several workers, each with an outbox of its own, that share the port: COLLECTOR_WORKERS."""

import asyncio
import contextlib
import logging
import secrets
import signal
import socket
import sys
import time
from asyncio.subprocess import Process
from collections.abc import Mapping

from collector.parent import listener
from collector.settings import Settings
from telemetry import process
from telemetry.backoff import Backoff
from telemetry.listeners import bind
from telemetry.process import ServiceError
from telemetry.settings import SettingError, load

logger = logging.getLogger(__name__)

_FIRST_WAIT_S, _LONGEST_WAIT_S = 0.2, 10.0
_WORKER = [sys.executable, "-m", "collector.worker"]
# A frozen worker, too: it has the port and an outbox.
_KILLED_WITH_ME = ["setpriv", "--pdeathsig", "KILL", "--"]
# A signal may come before a worker handles it.
_ENDED_WELL = (0, -signal.SIGTERM)


class WorkerFailed(ServiceError):
    """A worker has ended as it should not; it has said why."""

    def __init__(self, number: int, code: int) -> None:
        super().__init__(f"worker {number} ended with exit code {code}")


def main() -> int:
    """Serve until SIGTERM, with one process or several; return the exit code."""
    try:
        several = load(Settings).workers > 1
    except SettingError:
        several = False  # the service says what is wrong
    if several:
        return process.main("collector", _serve)
    from collector import service  # noqa: PLC0415  a parent needs nothing of it

    return service.main()


async def _serve() -> None:
    """Run the workers until a signal; raises SettingError, or WorkerFailed."""
    settings = load(Settings)
    address = (settings.collector_host, settings.collector_port, "COLLECTOR")
    for unused in bind(*address, shared=False):
        unused.close()
    with contextlib.ExitStack() as held:
        for bound in bind(*address, shared=True):  # nobody else's while no worker runs
            held.enter_context(bound)
        name, numbers = secrets.token_hex(8), range(1, settings.workers + 1)
        listeners = {number: held.enter_context(listener(name, number)) for number in numbers}
        workers = Workers(name, listeners)
        parts = {f"worker-{number}": workers.keep(number) for number in numbers}
        await process.run(stop=workers.stop, **parts)


class Workers:
    """Starts workers, and again those that end; all end when this process does."""

    def __init__(self, name: str, listeners: Mapping[int, socket.socket]) -> None:
        """Let them answer each other at these listeners, by their numbers and common name."""
        self._name = name
        self._listeners = listeners
        self._running: dict[int, Process] = {}
        self._first_is_ready = asyncio.Event()
        self._is_stopping = False

    async def keep(self, number: int) -> None:
        """Keep a worker running until `stop`.

        Raises WorkerFailed if the first one fails by itself before it was ever ready: its settings
        are those of all. It starts alone, so that what is wrong is said once.
        """
        if number > 1:
            await self._first_is_ready.wait()
        backoff = Backoff(_FIRST_WAIT_S, _LONGEST_WAIT_S)
        was_ready = False
        while not self._is_stopping:
            began = time.monotonic()
            is_ready, code = await self._run(number)
            was_ready = was_ready or is_ready
            if self._is_stopping:
                return
            if code > 0 and number == 1 and not was_ready:
                raise WorkerFailed(number, code)
            if time.monotonic() - began > _LONGEST_WAIT_S:
                backoff.reset()
            logger.warning("worker %d ended with exit code %d: it is started again", number, code)
            await asyncio.sleep(backoff.next())

    async def stop(self) -> None:
        """Stop all; raises WorkerFailed if one does not end well."""
        self._is_stopping = True
        running = dict(self._running)
        for worker in running.values():
            with contextlib.suppress(ProcessLookupError):
                worker.terminate()
        for number, worker in running.items():
            if (code := await worker.wait()) not in _ENDED_WELL:
                raise WorkerFailed(number, code)

    async def _run(self, number: int) -> tuple[bool, int]:
        """Run a worker to its end; return whether it became ready, and its exit code."""
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        with ours:
            with theirs:
                own = self._listeners[number].fileno()
                argv = [*_KILLED_WITH_ME, *_WORKER, self._name, str(number), str(own)]
                worker = await asyncio.create_subprocess_exec(
                    *argv, stdin=theirs.fileno(), pass_fds=[own]
                )
            self._running[number] = worker
            is_ready = bool(await asyncio.get_running_loop().sock_recv(ours, 1))
            if is_ready:
                self._first_is_ready.set()
            code = await worker.wait()
            del self._running[number]
            return is_ready, code
