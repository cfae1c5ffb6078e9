"""A process under test: start, wait until ready, pause, stop, kill, start again."""

import atexit
import contextlib
import os
import random
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Self, TypeVar

from run.configuration import ROOT, SEARCH_PATH

T = TypeVar("T")

POLL_S = 0.01
PATIENCE = 4
"""Factor on all timeouts: on a busy machine a shared disk stalls for seconds."""
# Below Linux's range for outgoing connections: the kernel gives none of these ports to another
# process, and a client that dials a closed port cannot connect to itself.
_PORTS = range(20_000, 32_000)
_BLOCK = 1_000  # ports for one process, so that several can run tests at once

_given: set[int] = set()
_random = random.SystemRandom()


@cache
def _block() -> tuple[range, socket.socket]:
    """Return ports that no other process takes, and the socket whose port says so."""
    for first in range(_PORTS.start, _PORTS.stop, _BLOCK):
        holder = socket.socket()
        with contextlib.suppress(OSError):
            holder.bind(("127.0.0.1", first))
            atexit.register(holder.close)
            return range(first + 1, first + _BLOCK), holder
        holder.close()
    raise RuntimeError(f"expected a free port among the first of each {_BLOCK} in {_PORTS}")


def free_port() -> int:
    """Return a TCP port that is free and was not returned before."""
    ports, _ = _block()
    while True:
        port = _random.choice(ports)
        if port in _given:
            continue
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        _given.add(port)
        return port


def has_ipv6() -> bool:
    """Return whether the machine has the loopback address ::1."""
    with contextlib.suppress(OSError), socket.create_server(("::1", 0), family=socket.AF_INET6):
        return True
    return False


def wait_for(condition: Callable[[], T], timeout: float = 10.0, what: str = "") -> T:
    """Poll `condition` until it is true and return its value.

    Raises AssertionError naming `what` after `timeout` times PATIENCE seconds. Exceptions of
    `condition` pass through.
    """
    timeout *= PATIENCE
    deadline = time.monotonic() + timeout
    while True:
        if value := condition():
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {timeout} s: {what or condition}")
        time.sleep(POLL_S)


class Service:
    """One process, which the kernel kills when the test process dies."""

    def __init__(
        self,
        name: str,
        directory: Path,
        argv: list[str],
        env: dict[str, str] | None = None,
    ) -> None:
        """Prepare to run `argv` in the root of the repository; `argv` and `env` may be changed."""
        self.name = name
        self.directory = directory
        self.argv = argv
        self.env = env or {}
        self.log = directory / f"{name}.log"
        self.process: subprocess.Popen[bytes] | None = None
        directory.mkdir(parents=True, exist_ok=True)

    @property
    def pid(self) -> int:
        assert self.process, f"{self.name} was never started"
        return self.process.pid

    @property
    def running(self) -> bool:
        """Whether the process exists; a paused one does."""
        return self.process is not None and self.process.poll() is None

    @property
    def environment(self) -> dict[str, str]:
        """The whole environment of the process."""
        inherited = {"PATH": SEARCH_PATH, "HOME": os.environ.get("HOME", "/")}
        return {**inherited, "PYTHONUNBUFFERED": "1", **self.env}

    def start(self) -> None:
        """Start the process and return at once; its output is appended to `log`."""
        assert not self.running, f"{self.name} is running already"
        with self.log.open("ab") as log:
            # setpriv: the process dies with the tests even if they cannot clean up.
            self.process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", "--", *self.argv],
                cwd=ROOT,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def is_ready(self) -> bool:
        """Whether the process does its work; each service overrides it."""
        return self.running

    def wait_ready(self, timeout: float = 20.0) -> None:
        """Wait until the service is ready; AssertionError with its log if it ends or never is."""

        def ready_or_dead() -> bool:
            return not self.running or self.is_ready()

        try:
            wait_for(ready_or_dead, timeout, f"{self.name} ready")
        except AssertionError as late:
            late.add_note(self.log_text())
            raise
        assert self.running, f"{self.name} ended at start:\n{self.log_text()}"

    def stop(self, timeout: float = 10.0) -> int:
        """Send SIGTERM and return the exit code; AssertionError if it takes longer than `timeout`.

        `timeout` is as for `wait_for`. Returns 0 for a service that was never started.
        """
        if self.process is None:
            return 0
        if self.running:
            self.process.terminate()
            self.resume()
        try:
            return self.process.wait(timeout * PATIENCE)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(
                f"{self.name} did not stop within {timeout * PATIENCE} s:\n{self.log_text()}"
            ) from None

    def kill(self) -> None:
        if self.process:
            self.process.kill()
            self.process.wait()

    def pause(self) -> None:
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    def log_text(self) -> str:
        """Return the output of all starts so far."""
        return self.log.read_text(encoding="utf-8", errors="replace") if self.log.exists() else ""

    def __enter__(self) -> Self:
        self.start()
        self.wait_ready()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
