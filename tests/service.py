"""A real process under test: started, watched, paused, killed, started again on the same port."""

import os
import random
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Self, TypeVar

from run.configuration import ROOT, SEARCH_PATH

T = TypeVar("T")

POLL_S = 0.01
PATIENCE = 4
"""How much longer than on a quiet machine things may take: a shared disk stalls for seconds."""
# Below Linux's range of ports for outgoing connections: nobody is given one of these by chance,
# and a client that dials a port nobody listens on cannot end up connected to itself.
PORTS = range(20_000, 32_000)

_given: set[int] = set()
_random = random.SystemRandom()


def free_port() -> int:
    """Return a TCP port that nobody listens on and that was not given out before."""
    while True:
        port = _random.choice(PORTS)
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


def wait_for(condition: Callable[[], T], timeout: float = 10.0, what: str = "") -> T:
    """Poll `condition` until it is true and return its value.

    `timeout` is in seconds of a quiet machine: AssertionError naming `what` comes after PATIENCE
    times as long. Exceptions of `condition` pass through.
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
    """One process. It dies with the tests, however these end."""

    def __init__(
        self,
        name: str,
        directory: Path,
        argv: list[str],
        env: dict[str, str] | None = None,
    ) -> None:
        """Prepare to run `argv` from the repository's root; nothing is started yet.

        `argv` and `env` are plain attributes: change them before `start()`.
        """
        self.name = name
        self.directory = directory
        self.argv = argv
        self.env = env or {}
        self.log = directory / f"{name}.log"
        self.process: subprocess.Popen[bytes] | None = None
        directory.mkdir(parents=True, exist_ok=True)

    @property
    def pid(self) -> int:
        """The process id; AssertionError when it was never started."""
        assert self.process, f"{self.name} was never started"
        return self.process.pid

    @property
    def running(self) -> bool:
        """Whether the process lives (paused counts as living)."""
        return self.process is not None and self.process.poll() is None

    @property
    def environment(self) -> dict[str, str]:
        """All that the process gets to see of the environment."""
        inherited = {"PATH": SEARCH_PATH, "HOME": os.environ.get("HOME", "/")}
        return {**inherited, "PYTHONUNBUFFERED": "1", **self.env}

    def start(self) -> None:
        """Start the process and return at once; its output is appended to `log`."""
        assert not self.running, f"{self.name} runs already"
        with self.log.open("ab") as log:
            # setpriv: the kernel kills the process when the tests die without a chance to clean up.
            self.process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", "--", *self.argv],
                cwd=ROOT,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def is_ready(self) -> bool:
        """Whether the process does its work now; refined by each service."""
        return self.running

    def wait_ready(self, timeout: float = 20.0) -> None:
        """Wait until the service works; AssertionError with its log when it died or never does."""

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

        `timeout` is as for `wait_for`. 0 for a service that does not run and never ran.
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
        """Send SIGKILL and wait for the end."""
        if self.process:
            self.process.kill()
            self.process.wait()

    def pause(self) -> None:
        """Send SIGSTOP."""
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Send SIGCONT."""
        os.kill(self.pid, signal.SIGCONT)

    def log_text(self) -> str:
        """Return everything logged so far, over all starts."""
        return self.log.read_text(encoding="utf-8", errors="replace") if self.log.exists() else ""

    def __enter__(self) -> Self:
        self.start()
        self.wait_ready()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
