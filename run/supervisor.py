"""Keeps processes running: what ends is started again; all are stopped in order."""

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Callable, Collection, Mapping, Sequence

from run.console import PartLines, say_trouble
from run.parts import Command

_STOP_S = 8
# A part that has run for as long is started again at once; one that ends sooner, after a wait.
_SETTLED_S = 10
_WAIT_MAX_S = 10
_OPTIONAL_WAIT_MAX_S = 120
_PIECE = 1 << 16
# What a part has printed last is read within this time, even if something keeps its output open.
_RELAY_S = 1


class PartFailed(Exception):
    """A part ended before the pipeline was ready; the message says which and why."""


class Part:
    """One process, started again whenever it ends, until `stop`."""

    def __init__(self, command: Command, environment: Mapping[str, str], lines: PartLines) -> None:
        self.name = command.name
        # Should this process be killed, the parts must not go on and hold the ports.
        self._argv = ["setpriv", "--pdeathsig", "KILL", *command.argv]
        self._may_end = command.may_end
        self._is_optional = command.is_optional
        self._environment = {**environment, **command.settings}
        self._lines = lines
        self._process: asyncio.subprocess.Process | None = None
        self._stopping = asyncio.Event()
        self._last_line = ""
        self._started = 0.0
        self._failure = ""  # of an optional part, which then is tried again silently

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    @property
    def trouble(self) -> str | None:
        """Why an optional part does not run, or not for long yet."""
        runs = self._process is not None and self._process.returncode is None
        if not self._failure or (runs and self._is_settled()):
            return None
        return f"{self._failure}: {self._last_line}"

    async def run(self, on_start: Callable[[], None], ready: asyncio.Event) -> None:
        """Run until `stop`; raises PartFailed if it ends before `ready`, and is not optional."""
        read_end, write_end = os.pipe()
        relay = asyncio.create_task(self._relay(read_end))
        try:
            await self._keep(write_end, on_start, ready)
        finally:
            os.close(write_end)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(relay, _RELAY_S)
        if not self._stopping.is_set():
            raise PartFailed(f"{self.name} {self._ending()}: {self._last_line}")

    def stop(self) -> None:
        """Terminate the process, so that `run` returns."""
        self._stopping.set()
        self.signal(signal.SIGTERM)

    async def _keep(self, output: int, on_start: Callable[[], None], ready: asyncio.Event) -> None:
        """Start the process again and again; return when stopping, or if it never was ready."""
        wait_s = 0.0
        while not self._stopping.is_set():
            self._started = time.monotonic()
            self._process = await self._start(output)
            on_start()
            if self._stopping.is_set():  # meanwhile
                self.signal(signal.SIGTERM)
            await self._process.wait()
            if self._stopping.is_set() or not (ready.is_set() or self._is_optional):
                return
            if self._may_end and self._process.returncode == 0:
                self._lines.say(self.name, "has ended")
                await self._stopping.wait()
                return
            longest_s = _OPTIONAL_WAIT_MAX_S if self._is_optional else _WAIT_MAX_S
            settled = self._is_settled()
            wait_s = 0.0 if settled else min(2 * wait_s + 0.5, longest_s)
            if settled or not self._failure:
                self._lines.say_trouble(self.name, f"{self._ending()}: it is started again")
            self._failure = self._ending() if self._is_optional else ""
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), wait_s)

    def _is_settled(self) -> bool:
        return time.monotonic() - self._started > _SETTLED_S

    def _ending(self) -> str:
        code = self._process.returncode if self._process else None
        if code is not None and code < 0:
            return f"was killed ({signal.Signals(-code).name})"
        return f"ended with exit code {code}"

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the process, if it runs."""
        with contextlib.suppress(ProcessLookupError):
            if self._process and self._process.returncode is None:
                self._process.send_signal(number)

    async def _start(self, output: int) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            *self._argv,
            env=self._environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,  # Ctrl-C is not for them
        )

    async def _relay(self, read_end: int) -> None:
        """Print what the process prints, line by line; very long ones in pieces."""
        reader = asyncio.StreamReader()
        pipe = os.fdopen(read_end, "rb", 0)
        loop = asyncio.get_running_loop()
        transport, _ = await loop.connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), pipe
        )
        rest = b""
        try:
            while piece := await reader.read(_PIECE):
                *lines, rest = (rest + piece).split(b"\n")
                if len(rest) > _PIECE:
                    lines, rest = [*lines, rest], b""
                for line in lines:
                    self._say(line)
        finally:
            if rest:
                self._say(rest)
            transport.close()

    def _say(self, line: bytes) -> None:
        text = line.decode(errors="replace").rstrip()
        if text:
            self._last_line = text
            if self.trouble is None:
                self._lines.say(self.name, text)


class Supervisor:
    """Runs parts until one fails at the start, or until `stop`."""

    def __init__(self, on_change: Callable[[Mapping[str, int]], None]) -> None:
        self.is_ready = asyncio.Event()
        """To be set by the user of this class: from then on parts are started again."""
        self.failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Ends with the exception of the first part that could not be kept running."""
        self._on_change = on_change
        self._parts: dict[str, Part] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def start(self, part: Part) -> None:
        """Start a part; `on_change` is told the process ids whenever they change."""
        self._parts[part.name] = part
        task = asyncio.create_task(part.run(self._changed, self.is_ready), name=part.name)
        task.add_done_callback(self._on_end)
        self._tasks[part.name] = task

    async def stop(self, order: Sequence[Collection[str]]) -> None:
        """Stop the parts, one group after the other; kill those that take too long."""
        for names in order:
            group = {name: task for name, task in self._tasks.items() if name in names}
            for name in group:
                self._parts[name].stop()
            if group:
                await asyncio.wait(group.values(), timeout=_STOP_S)
            for name, task in group.items():
                if not task.done():
                    say_trouble(f"{name} did not stop within {_STOP_S} s and is killed")
                    self._parts[name].signal(signal.SIGKILL)
                    await asyncio.wait([task])

    def trouble(self, name: str) -> str | None:
        """Return why an optional part does not run."""
        return self._parts[name].trouble

    def kill(self) -> None:
        """Kill what still runs."""
        for part in self._parts.values():
            part.signal(signal.SIGKILL)

    def _changed(self) -> None:
        self._on_change({name: part.pid for name, part in self._parts.items() if part.pid})

    def _on_end(self, task: asyncio.Task[None]) -> None:
        error = task.exception()
        if error and not self.failed.done():
            self.failed.set_exception(error)
