"""Tests that a script starts in the background, which ignore SIGINT, can interrupt processes."""

import subprocess
import sys
from pathlib import Path

from run.configuration import ROOT

INTERRUPTS = """
import signal, subprocess

def test_sigint_ends_a_process():
    process = subprocess.Popen(["cat"], stdin=subprocess.PIPE)
    with process:
        process.send_signal(signal.SIGINT)
        process.stdin.close()  # ends it if the signal did not
    assert process.returncode == -signal.SIGINT
"""


def passes_in_the_background(tmp_path: Path, *options: str) -> bool:
    """Return whether a test that interrupts a process passes where SIGINT is ignored."""
    path = tmp_path / "test_interrupts.py"
    path.write_text(INTERRUPTS, encoding="utf-8")
    ignoring = ["env", "--ignore-signal=INT", sys.executable, "-m", "pytest", "-q", *options]
    alone = ["-p", "no:cacheprovider", f"--rootdir={tmp_path}", "-c", "/dev/null"]
    done = subprocess.run(
        [*ignoring, *alone, str(path)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert "1 passed" in done.stdout or "1 failed" in done.stdout, done.stdout + done.stderr
    return done.returncode == 0


def test_processes_can_be_interrupted(tmp_path: Path) -> None:
    assert passes_in_the_background(tmp_path, "-p", "tests.conftest")


def test_control_without_our_conftest_they_cannot(tmp_path: Path) -> None:
    assert not passes_in_the_background(tmp_path)
