"""What the commands print, and with which exit code they end."""

import sys

from collector.outbox.window import Window
from telemetry import timestamp

OK, WRONG = 0, 1


def say(text: str) -> None:
    """Print a line."""
    sys.stdout.write(text + "\n")


def say_counts(counts: dict[str, int]) -> None:
    """Print a line for each count."""
    for name, count in counts.items():
        say(f"{name:11}{count:12}")


def say_reach(window: Window) -> None:
    """Print how far back the outbox reaches, if that is not as far as the window."""
    if not window.is_complete:
        moment = timestamp.render(window.pruned_at * 1_000_000_000)
        say(f"the outbox reaches back to {moment} only: what was accepted earlier has left it")
