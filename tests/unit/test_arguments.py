"""Every program explains itself and refuses words that it does not know: neither starts it."""

import subprocess
import sys

import pytest

from run.configuration import ROOT

PROGRAMS = [
    "bridge",
    "collector",
    "device",
    "run",
    "run.database",
    "run.packages",
    "run.pipeline",
    "run.setup",
    "bench",
    "tests.chaos",
]


OWN_WORDS = {"run.database": ["directory", "1", "iot", "secret"]}


def run(program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-m", program, *arguments]
    return subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.parametrize("program", PROGRAMS)
def test_help_is_printed(program: str) -> None:
    done = run(program, "--help")
    assert done.returncode == 0, done.stderr
    assert "usage" in done.stdout.lower()


@pytest.mark.parametrize("words", [["no-such-word"], ["--no-such-option"], ["-x"]])
@pytest.mark.parametrize("program", PROGRAMS)
def test_unknown_words_are_refused(program: str, words: list[str]) -> None:
    words = [*OWN_WORDS.get(program, []), *words]
    done = run(program, *words)
    assert done.returncode == (1 if program == "device" else 2)
    assert "usage" in done.stderr
