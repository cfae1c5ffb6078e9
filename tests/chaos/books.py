"""The collector's books as it tells them: by GET /metrics and by its command."""

import re
import urllib.request
from dataclasses import dataclass

COLUMNS = ("accepted", "stored", "rejected", "pending")
METRIC = re.compile(r"^collector_(accepted|stored|rejected|pending)\w* (\S+)$", re.MULTILINE)


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
        text = response.read().decode()
    return Books(**{name: int(float(value)) for name, value in METRIC.findall(text)})
