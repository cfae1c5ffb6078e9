"""The collector's books as it tells them: by GET /metrics and by its command."""

import re
import urllib.request
from dataclasses import dataclass

from tests.stack import Collector

LINE = re.compile(r"^(?:collector_)?(accepted|stored|rejected|pending) +(\d+)$", re.MULTILINE)


@dataclass(frozen=True)
class Books:
    """accepted = stored + rejected + pending, in readings, each post of a reading counting."""

    accepted: int
    stored: int
    rejected: int
    pending: int

    def __str__(self) -> str:
        return (
            f"accepted {self.accepted:,} = stored {self.stored:,}"
            f" + rejected {self.rejected:,} + pending {self.pending:,}"
        )


def told_by_metrics(url: str) -> Books:
    """Return the books of the running collector; OSError when it does not answer."""
    with urllib.request.urlopen(f"{url}/metrics", timeout=10) as response:
        return _read(response.read().decode())


def told_by_command(collector: Collector) -> Books:
    """Return what `books` counts in the outbox's file, which may be a second behind."""
    return _read(collector.command("books").stdout)


def _read(text: str) -> Books:
    return Books(**{name: int(number) for name, number in LINE.findall(text)})
