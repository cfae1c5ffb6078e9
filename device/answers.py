"""What an answer of the collector means for the readings that were sent."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import Enum
from http import HTTPStatus
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from random import Random

BACKOFF_FIRST_S = 0.25
BACKOFF_MOST_S = 10.0
RETRY_AFTER_MOST_S = 1e9  # what threads can wait has a limit, too
TEXT_LENGTH = 500


class Verdict(Enum):
    """What to do with the readings of one request."""

    ACKNOWLEDGED = "let go: the collector has them"
    LATER = "keep, and send again"
    REFUSED = "one of them will never be taken"
    ALL_REFUSED = "none of them will ever be taken"
    TOO_LARGE = "send fewer at a time"


VERDICTS: dict[int, Verdict] = {
    HTTPStatus.CREATED: Verdict.ACKNOWLEDGED,
    HTTPStatus.BAD_REQUEST: Verdict.REFUSED,
    HTTPStatus.UNAUTHORIZED: Verdict.ALL_REFUSED,
    HTTPStatus.FORBIDDEN: Verdict.REFUSED,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: Verdict.TOO_LARGE,
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: Verdict.REFUSED,
    HTTPStatus.UNPROCESSABLE_ENTITY: Verdict.REFUSED,
}


@dataclass(frozen=True)
class Answer:
    """An answer, or why there was none (`status` None). `retry_after` in seconds."""

    status: int | None
    text: str
    retry_after: float = 0.0

    @property
    def verdict(self) -> Verdict:
        """Sort it. Only 201 says that a reading is kept; what is not listed may yet succeed."""
        return VERDICTS.get(self.status or 0, Verdict.LATER)

    def __str__(self) -> str:
        """Give status and text on one line, cut where it is long."""
        line = " ".join(f"{self.status or ''} {self.text}".split())
        return line if len(line) <= TEXT_LENGTH else f"{line[:TEXT_LENGTH]}…"


def retry_after(header: str | None, now: datetime) -> float:
    """Read a Retry-After header (RFC 9110: seconds or a date); 0 where it says nothing readable."""
    text = (header or "").strip()
    if re.fullmatch(r"[0-9]{1,9}", text):
        return float(text)
    try:
        date = parsedate_to_datetime(text)
    except ValueError:
        return 0.0
    if date.tzinfo is None:  # "-0000", or the asctime form: UTC
        date = date.replace(tzinfo=UTC)
    return min(max(0.0, (date - now).total_seconds()), RETRY_AFTER_MOST_S)


def backoff(attempt: int, random: "Random") -> float:
    """Give the seconds to wait after failure number `attempt` (from 0): full jitter.

    See https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/.
    """
    limit = min(BACKOFF_MOST_S, BACKOFF_FIRST_S * 2.0 ** min(attempt, 30))
    return random.uniform(0, limit)
