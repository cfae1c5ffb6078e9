"""What the commands print, and with which exit code they end."""

import sys

OK, WRONG = 0, 1


def say(text: str) -> None:
    """Print a line."""
    sys.stdout.write(text + "\n")


def say_counts(counts: dict[str, int]) -> None:
    """Print a line for each count."""
    for name, count in counts.items():
        say(f"{name:11}{count:12}")
