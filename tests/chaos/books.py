"""What the services count: the collector's books, the bridge's counters."""

import json
import re
from dataclasses import dataclass, fields

from tests.metrics import counted_at
from tests.stack import Broker, Collector

LINE = re.compile(r"^(accepted|stored|rejected|pending) +(\d+)\b", re.MULTILINE)


@dataclass(frozen=True)
class Books:
    """accepted = stored + rejected + pending; a reading posted twice counts twice."""

    accepted: int
    stored: int
    rejected: int
    pending: int

    def __str__(self) -> str:
        return (
            f"accepted {self.accepted:,} = stored {self.stored:,}"
            f" + rejected {self.rejected:,} + pending {self.pending:,}"
        )


def books_from_metrics(url: str) -> Books:
    """Return the books of the running collector; OSError when it does not respond."""
    found = counted_at(url, timeout_s=10)
    return Books(**{field.name: found[field.name] for field in fields(Books)})


def books_from_command(collector: Collector) -> Books:
    """Return what `books` reads from the outbox's file, which may be a second behind."""
    found = LINE.findall(collector.command("books").stdout)
    return Books(**{name: int(number) for name, number in found})


def bridge_counter(broker: Broker, name: str) -> int:
    """Return a counter of the bridge's last status."""
    status = json.loads(broker.retained("status/bridge/bridge"))
    return int(status["counters"][name])
