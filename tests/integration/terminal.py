"""A program on a pseudo-terminal, and what its screen shows."""

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import termios
from collections.abc import Mapping
from typing import Self

import pyte

from run.configuration import ROOT


class Terminal:
    """Runs `argv` on a terminal of its own; `screen` is what it shows, `written` all it got."""

    def __init__(
        self, argv: list[str], env: Mapping[str, str], columns: int = 80, lines: int = 24
    ) -> None:
        self.argv = argv
        self.env = {**env, "TERM": "xterm-256color"}
        self.written = b""
        self._pyte = pyte.Screen(columns, lines)
        self._stream = pyte.ByteStream(self._pyte)

    def screen(self) -> list[str]:
        """Return the lines that are shown now, without trailing spaces."""
        while select.select([self._master], [], [], 0)[0]:
            try:
                part = os.read(self._master, 65536)
            except OSError:  # EIO: the program has ended
                break
            self.written += part
            self._stream.feed(part)
        return [line.rstrip() for line in self._pyte.display]

    @property
    def shows_cursor(self) -> bool:
        return not self._pyte.cursor.hidden

    def resize(self, columns: int, lines: int) -> None:
        self._pyte.resize(lines, columns)
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def interrupt(self) -> int:
        """Send SIGINT, as Ctrl-C does; return the exit code."""
        self._process.send_signal(signal.SIGINT)
        return self._process.wait(40)

    def modes(self) -> list[object]:
        """Return what the terminal does with input and output."""
        return termios.tcgetattr(self._master)

    def __enter__(self) -> Self:
        self._master, slave = pty.openpty()
        self.resize(self._pyte.columns, self._pyte.lines)
        self._process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", "--", *self.argv],
            cwd=ROOT,
            env=self.env,
            stdin=slave,
            stdout=slave,
            stderr=slave,
        )
        os.close(slave)
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._master)
