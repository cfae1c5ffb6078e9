"""What `make run` prints: steps with their duration, and lines of the parts."""

import contextlib
import os
import re
import signal
import sys
import time
from collections.abc import Iterator

_COLOURS = (36, 32, 34, 35, 96, 92)  # of the parts' names; red and yellow are for trouble
_RED, _YELLOW = 31, 33
# Levels as the parts write them: Python's logging, InfluxDB's and Grafana's, and Mosquitto's.
_ERROR = re.compile(r"^(ERROR|CRITICAL)\b|\b(lvl|level)=(error|fatal)\b|^\S* ?Error: ")
_WARNING = re.compile(r"^WARNING\b|\b(lvl|level)=warn|^\S* ?Warning: ")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def say(text: str, end: str = "\n") -> None:
    """Print a line. A full disk does not matter; if nobody reads any more, this process ends."""
    try:
        sys.stdout.write(text + end)
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        signal.raise_signal(signal.SIGTERM)
    except (OSError, ValueError):
        pass


def say_trouble(text: str) -> None:
    """Print a line, red on a terminal."""
    say(_coloured(printable(text), _RED))


def printable(text: str) -> str:
    """Return a text with ? for what would move the cursor, change colours or worse."""
    return _CONTROL.sub("?", text)


def say_note(text: str) -> None:
    """Print a line, yellow on a terminal."""
    say(_coloured(text, _YELLOW))


@contextlib.contextmanager
def step(name: str) -> Iterator[None]:
    """Print the name of a step, and behind it how long it took."""
    start = time.monotonic()
    say(f"  {name} ...", end="")
    try:
        yield
    except BaseException:
        say("")
        raise
    say(f" {time.monotonic() - start:.1f} s")


class PartLines:
    """Prints the lines of the parts, each behind the time and the name of its part."""

    def __init__(self, names: list[str]) -> None:
        self._width = max(map(len, names))
        self._colours = {name: _COLOURS[n % len(_COLOURS)] for n, name in enumerate(names)}

    def say_trouble(self, name: str, text: str) -> None:
        """Print what has become of a part, red on a terminal."""
        say(f"{self._prefix(name)} {_coloured(text, _RED)}")

    def say(self, name: str, line: str) -> None:
        """Print a line of a part."""
        line = printable(line)
        if _ERROR.search(line):
            line = _coloured(line, _RED)
        elif _WARNING.search(line):
            line = _coloured(line, _YELLOW)
        say(f"{self._prefix(name)} {line}")

    def _prefix(self, name: str) -> str:
        moment = time.strftime("%H:%M:%S")
        return _coloured(f"{moment} {name:{self._width}} |", self._colours[name])


def _coloured(text: str, colour: int) -> str:
    # https://no-color.org
    if not sys.stdout.isatty() or os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return text
    return f"\x1b[{colour}m{text}\x1b[0m"
