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
    """Return what the command writes to the terminal that is its stdout and stderr."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    process = subprocess.Popen(argv, stdin=slave, stdout=slave, stderr=slave)
    os.close(slave)
    shown = b""
    with contextlib.suppress(OSError):  # EIO: the process has ended
        while part := os.read(master, 65536):
            shown += part
    os.close(master)
    assert process.wait(20) == 0
    return shown.decode()


def argv(stub: Stub, *options: str) -> list[str]:
    return [sys.executable, "-m", "device", "-h", "127.0.0.1", "-p", str(stub.port), *options]


def test_on_a_terminal_the_bar_is_drawn_up_to_the_end(stub: Stub) -> None:
    shown = run_on_terminal(argv(stub, "--count", "200", "--rate", "400", "--batch", "10"))
    assert "100%" in shown
    assert "200/200" in shown
    assert shown.count("\r") > 5, "the bar was drawn only once"
    assert "200 readings in" in shown.splitlines()[-1]


def test_at_a_low_rate_the_readings_are_printed_above_the_bar(stub: Stub) -> None:
    shown = run_on_terminal(argv(stub, "--count", "5", "--rate", "10"))
    assert shown.count("-> 201 Created") == 5
    assert "5/5" in shown


def test_on_a_pipe_no_bar_is_drawn(stub: Stub) -> None:
    done = subprocess.run(
        argv(stub, "--count", "20", "--rate", "400"), capture_output=True, text=True, check=True
    )
    assert "%" not in done.stderr + done.stdout
    assert done.stdout.startswith("20 readings in")
