"""The progress bar, and lines that do not run into it."""

from typing import TextIO

try:
    from tqdm import tqdm
except ImportError:  # the device needs nothing but Python
    tqdm = None  # type: ignore[assignment,misc]


class Progress:
    """A bar on stderr up to `total` readings, if that is a terminal and tqdm is installed."""

    def __init__(self, total: int | None) -> None:
        self._bar = None
        if tqdm is not None and total is not None:
            # disable=None: draw the bar only on a terminal
            self._bar = tqdm(total=total, unit="reading", disable=None)

    @property
    def is_drawn(self) -> bool:
        return self._bar is not None and not self._bar.disable

    def update(self, number: int) -> None:
        if self._bar is not None:
            self._bar.update(number)

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()

    @staticmethod
    def write(line: str, file: TextIO) -> None:
        """Write a line to stdout or stderr, above a bar."""
        if tqdm is None:
            file.write(f"{line}\n")
        else:
            tqdm.write(line, file=file)
