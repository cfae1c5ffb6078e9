"""What a response, by HTTP or MQTT, means for the readings sent, and how long to wait after it."""

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import Enum
from http import HTTPStatus
from random import Random

BACKOFF_FIRST_S = 0.25
BACKOFF_MAX_S = 10.0
RETRY_AFTER_MAX_S = 1e9  # threading raises OverflowError on longer timeouts
MAX_TEXT_LENGTH = 500
MAX_BRIEF_LENGTH = 70


# Answers by MQTT, named as their topics, and one that is too large to be sent.
ACCEPTED = "accepted"
REFUSED = "refused"
OVERSIZED = "oversized"


class Verdict(Enum):
    """What a response means for the readings of its request."""

    ACCEPTED = "the collector has stored them on disk"
    RETRY = "not accepted now; keep them and retry"
    REFUSED = "at least one of them will never be accepted"
    ALL_REFUSED = "none of them will ever be accepted"
    TOO_LARGE = "send fewer per request"


VERDICTS: dict[int | str, Verdict] = {
    HTTPStatus.CREATED: Verdict.ACCEPTED,
    HTTPStatus.BAD_REQUEST: Verdict.REFUSED,
    HTTPStatus.UNAUTHORIZED: Verdict.ALL_REFUSED,
    HTTPStatus.FORBIDDEN: Verdict.REFUSED,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: Verdict.TOO_LARGE,
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: Verdict.REFUSED,
    HTTPStatus.UNPROCESSABLE_ENTITY: Verdict.REFUSED,
    ACCEPTED: Verdict.ACCEPTED,
    REFUSED: Verdict.REFUSED,
    OVERSIZED: Verdict.TOO_LARGE,
}


@dataclass(frozen=True)
class Response:
    """A response, or with `status` None the reason there was none. `retry_after` in seconds.

    `status` is a number of HTTP, or one of ACCEPTED, REFUSED and OVERSIZED.
    """

    status: int | str | None
    text: str
    retry_after: float = 0.0

    @property
    def verdict(self) -> Verdict:
        """Only 201 or ACCEPTED is a promise; a status that is not listed may succeed on a retry."""
        return VERDICTS.get(self.status or 0, Verdict.RETRY)

    @property
    def brief(self) -> str:
        """Status and reason in at most MAX_BRIEF_LENGTH characters, for a fault that may pass."""
        return _line(self.status, detail(self.text), MAX_BRIEF_LENGTH)

    def __str__(self) -> str:
        """Return status and text on one line, truncated if long, without control characters."""
        return _line(self.status, self.text, MAX_TEXT_LENGTH)


def _line(status: int | str | None, text: str, length: int) -> str:
    line = " ".join(f"{status or ''} {text}".split())
    line = "".join(character if character.isprintable() else "�" for character in line)
    return line if len(line) <= length else f"{line[: length - 1]}…"


def detail(text: str) -> str:
    """Return what the collector's error says in words (RFC 9457), any other text as it is."""
    try:
        return str(json.loads(text)["detail"])
    except (ValueError, TypeError, KeyError, RecursionError):
        return text


def retry_after(header: str | None, now: datetime) -> float:
    """Return the seconds to wait according to a Retry-After header; 0 if absent or malformed.

    The header holds seconds or a date (RFC 9110, section 10.2.3).
    """
    text = (header or "").strip()
    if re.fullmatch(r"[0-9]{1,9}", text):
        return float(text)
    try:
        date = parsedate_to_datetime(text)
    except (ValueError, OverflowError):  # a year or an offset beyond any integer of C
        return 0.0
    if date.tzinfo is None:  # "-0000" or the asctime format: UTC
        date = date.replace(tzinfo=UTC)
    return min(max(0.0, (date - now).total_seconds()), RETRY_AFTER_MAX_S)


def backoff(attempt: int, random: Random) -> float:
    """Return the seconds to wait after failure number `attempt` (from 0), with full jitter.

    See https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/.
    """
    limit = min(BACKOFF_MAX_S, BACKOFF_FIRST_S * 2.0 ** min(attempt, 30))
    return random.uniform(0, limit)
