"""How far a command has come, on a terminal."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tqdm import tqdm

from collector.outbox.window import Window


@contextmanager
def progress(window: Window) -> Iterator[Callable[[int], None]]:
    """Draw a bar on stderr if that is a terminal; yield what moves it to a sequence number."""
    # disable=None: draw the bar only on a terminal
    with tqdm(total=window.span, unit=" readings", leave=False, disable=None) as bar:

        def move_to(seq: int) -> None:
            bar.update(seq - window.first + 1 - bar.n)

        yield move_to
