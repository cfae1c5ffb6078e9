"""The last dead letters that a service's status shows."""

import time
from collections import deque

from telemetry import timestamp
from telemetry.dead_letters.letter import DeadLetter
from telemetry.status import Letter

_KEPT = 10
# Keep a status below the broker's limit for one message, even if JSON escapes all of it.
_MAX_TOPIC = 150
_MAX_REASON = 200
_MAX_PAYLOAD = 100
_MAX_BYTES = 4  # of a character in UTF-8
_S = 1_000_000_000


class Recent:
    """The last ten dead letters about messages that are in no outbox."""

    def __init__(self) -> None:
        self._letters: deque[tuple[float, DeadLetter]] = deque(maxlen=_KEPT)

    def add(self, letter: DeadLetter) -> None:
        self._letters.append((time.time(), letter))

    def letters(self) -> list[Letter]:
        """Return them, the oldest first, each shortened."""
        return [_shortened(at, letter) for at, letter in self._letters]


def _shortened(at: float, letter: DeadLetter) -> Letter:
    payload = letter.message.payload[: _MAX_BYTES * _MAX_PAYLOAD].decode(errors="replace")
    return Letter(
        at=timestamp.render(int(at) * _S),
        topic=letter.message.topic[:_MAX_TOPIC],
        reason=letter.reason[:_MAX_REASON],
        payload=payload[:_MAX_PAYLOAD],
    )
