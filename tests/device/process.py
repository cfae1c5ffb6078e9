import re
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.service import Service


class Device(Service):
    """`python -m device`, posting to 127.0.0.1:`port`; `python` is the interpreter's command."""

    def __init__(
        self, directory: Path, port: int, *options: str, python: Sequence[str] = (sys.executable,)
    ) -> None:
        argv = [*python, "-m", "device", "-h", "127.0.0.1", "-p", str(port), *options]
        super().__init__("device", directory, argv)

    def end(self, timeout: float = 20) -> int:
        """Wait until the device ends by itself; return its exit code."""
        assert self.process
        return self.process.wait(timeout)

    def summary(self) -> dict[str, int]:
        """Return the numbers in the last line, keyed by the word after each."""
        line = self.log_text().splitlines()[-1]
        return {word: int(number) for number, word in re.findall(r"(\d+) ([a-z]+)", line)}
