"""The outboxes that a command is about: all of the collector's directory."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from collector.commands.output import say_text
from collector.outbox.elsewhere import Elsewhere
from collector.outbox.outboxes import outboxes, refuse_copy
from collector.outbox.window import Window
from collector.settings import Settings


def paths(settings: Settings) -> list[Path]:
    """Return them in order; the first one if there are none, so that opening it fails.

    Raises OutboxUnusable if one is a copy of another, whose readings would count twice.
    """
    first = Path(settings.outbox_path)
    found = outboxes(first)
    for path in found:
        refuse_copy(path, first)
    return found or [first]


@contextmanager
def windows(settings: Settings, since: float) -> Iterator[list[Window]]:
    """Open a window on each; raises OutboxUnusable."""
    with ExitStack() as opened:
        yield [opened.enter_context(Window(path, since)) for path in paths(settings)]


def elsewhere(settings: Settings, window: Window) -> Elsewhere:
    """Return the other outboxes."""
    return Elsewhere(window.path, Path(settings.outbox_path))


def say_each(counts: Mapping[str, Mapping[str, int]]) -> None:
    """Print a line for each outbox if there are several, with its counts that are not 0."""
    for file, own in counts.items() if len(counts) > 1 else ():
        counted = ", ".join(f"{name} {count:,}" for name, count in own.items() if count)
        say_text(f"{file}: {counted or 'nothing'}")
