"""What the commands print, and with which exit code they end."""

import sys
import textwrap
from collections.abc import Mapping, Sequence

from collector.outbox.superseded import Superseded
from collector.outbox.window import Window
from telemetry import timestamp

OK, WRONG, FAILED = 0, 1, 2

_WIDTH = 80
_MAX_NAMED = 5


def say(text: str) -> None:
    """Print a line, or several."""
    sys.stdout.write(text + "\n")


def say_text(text: str) -> None:
    """Print a text in lines of at most 80 characters."""
    say(textwrap.fill(text, _WIDTH, break_long_words=False, break_on_hyphens=False))


def say_counts(counts: Mapping[str, int], meanings: Mapping[str, str]) -> None:
    """Print a line for each count, with its meaning."""
    for name, count in counts.items():
        say(f"{name:11}{count:12}  {meanings.get(name, '')}".rstrip())


def say_superseded(count: int, first: Sequence[Superseded]) -> None:
    """Print how many are superseded, if any are, and the first five."""
    if count:
        say_text(
            f"{count:,} superseded: a reading accepted later has the same sensor_id, type and ts,"
            " and InfluxDB keeps the last value only. Two devices with one sensor_id?"
        )
        for one in first[:_MAX_NAMED]:
            say(f"  {one}")
        if more := count - len(first[:_MAX_NAMED]):
            say(f"  ... and {more:,} more")


def say_reach(windows: Sequence[Window]) -> None:
    """Print how far back the outboxes reach, if that is not as far as the windows."""
    if not all(window.is_complete for window in windows):
        moment = timestamp.render(max(window.pruned_at for window in windows) * 1_000_000_000)
        say_text(f"the outbox reaches back to {moment} only: what was accepted earlier has left it")
