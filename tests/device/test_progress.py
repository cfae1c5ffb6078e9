"""The progress bar, on a terminal and off it."""

import contextlib
import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator

import pytest

from tests.device.stub import Stub


@pytest.fixture
def stub() -> Iterator[Stub]:
    with Stub() as stub:
        yield stub


def run_on_terminal(argv: list[str]) -> str:
    """Return what a terminal that is stderr, and stdout, gets to see."""
    terminal, side = pty.openpty()
    fcntl.ioctl(side, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    process = subprocess.Popen(argv, stdin=side, stdout=side, stderr=side)
    os.close(side)
    seen = b""
    with contextlib.suppress(OSError):  # EIO: the other side has closed it
        while part := os.read(terminal, 65536):
            seen += part
    os.close(terminal)
    assert process.wait(20) == 0
    return seen.decode()


def argv(stub: Stub, *options: str) -> list[str]:
    return [sys.executable, "-m", "device", "-h", "127.0.0.1", "-p", str(stub.port), *options]


def test_a_terminal_gets_a_bar_up_to_its_end(stub: Stub) -> None:
    seen = run_on_terminal(argv(stub, "--count", "200", "--rate", "400", "--batch", "10"))
    assert "100%" in seen
    assert "200/200" in seen
    assert seen.count("\r") > 5, "it was drawn once"
    assert "200 readings in" in seen.splitlines()[-1]


def test_at_a_low_rate_the_readings_stand_above_the_bar(stub: Stub) -> None:
    seen = run_on_terminal(argv(stub, "--count", "5", "--rate", "10"))
    assert seen.count("-> 201 Created") == 5
    assert "5/5" in seen


def test_a_pipe_gets_none(stub: Stub) -> None:
    done = subprocess.run(
        argv(stub, "--count", "20", "--rate", "400"), capture_output=True, text=True, check=True
    )
    assert "%" not in done.stderr + done.stdout
    assert done.stdout.startswith("20 readings in")
