"""`make run` on a pseudo-terminal, as a person sees it."""

import contextlib
import os
import re
import shlex
import signal
import subprocess
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from run.configuration import ROOT
from run.workspace import PORTS
from tests.service import free_port, wait_for

_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


class Terminal:
    """A shell on a terminal of its own that runs one `make run` and prints its exit code."""

    def __init__(
        self, run_dir: Path, settings: Mapping[str, object] | None = None, root: Path = ROOT
    ) -> None:
        self.run_dir = run_dir
        self.root = root
        self.ports = {name: free_port() for name in PORTS}
        self.settings = {**self.ports, "RUN_DIR": run_dir, **(settings or {})}
        self.command = "make run {}"
        """What the shell runs, with the settings in place of the braces."""
        self._output = b""
        self._process: subprocess.Popen[bytes] | None = None
        self._master = -1

    @property
    def raw(self) -> str:
        return self._output.decode(errors="replace").replace("\r\n", "\n")

    @property
    def screen(self) -> str:
        """What was printed so far, without colours."""
        return _COLOUR.sub("", self.raw)

    def start(self) -> None:
        words = " ".join(shlex.quote(f"{name}={text}") for name, text in self.settings.items())
        script = f"{self.command.format(words)}; echo exit=$?"
        self._master, slave = os.openpty()
        self._process = subprocess.Popen(
            # These tests may ignore some, as a background job or under nohup; a terminal's do not.
            ["env", "--default-signal=INT,QUIT,HUP", "setsid", "--ctty", "sh", "-c", script],
            cwd=self.root,
            env={
                "PATH": os.environ["PATH"],
                "HOME": os.environ.get("HOME", "/"),
                "TERM": "xterm",
                "http_proxy": "http://127.0.0.1:9",  # of somebody's office: not for loopback
                **{k: v for k, v in os.environ.items() if k.startswith(("PIP_", "SSL_"))},
            },
            stdin=slave,
            stdout=slave,
            stderr=slave,
        )
        os.close(slave)
        threading.Thread(target=self._read, daemon=True).start()

    def wait(self, text: str, timeout: float = 60) -> None:
        """Wait until `text` was printed."""
        try:
            wait_for(lambda: text in self.screen or "exit=" in self.screen, timeout, text)
        except AssertionError as late:
            late.add_note(self.screen[-3000:])
            raise
        assert text in self.screen, self.screen[-3000:]

    def type(self, keys: str) -> None:
        os.write(self._master, keys.encode())

    def interrupt(self) -> str:
        """Press Ctrl-C; return what is printed until the shell's end."""
        before = len(self.screen)
        self.type("\x03")
        self.wait("exit=", 20)
        return self.screen[before:]

    def hang_up(self) -> None:
        """Close the terminal."""
        os.close(self._master)
        self._master = -1

    def survivors(self) -> list[str]:
        """Return the command lines of the processes with this RUN_DIR in their environment."""
        mark = f"RUN_DIR={self.run_dir}".encode()
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):  # it has exited, or belongs to another user
                if mark in (process / "environ").read_bytes().split(b"\0"):
                    found.append((process / "cmdline").read_text().replace("\0", " "))
        return found

    def _read(self) -> None:
        with contextlib.suppress(OSError):  # the other end is closed
            while piece := os.read(self._master, 65536):
                self._output += piece

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process
        if self._master >= 0:
            if "exit=" not in self.screen:
                self.interrupt()
            self.hang_up()
        try:
            self._process.wait(40)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            raise
