"""Dead letters: what is published about a message that will not be stored."""

from typing import NamedTuple

import msgspec

from telemetry import topics
from telemetry.mqtt import Message
from telemetry.reading import series

# Keep a dead letter below the broker's limit for one message, even if JSON escapes all of it.
_MAX_PAYLOAD = 8000
_MAX_TEXT = 1000


class DeadLetter(NamedTuple):
    """A message that is rejected or unreadable, and why."""

    message: Message
    reason: str

    def __str__(self) -> str:
        return f"{self.message.topic[:_MAX_TEXT]}: {self.reason[:_MAX_TEXT]}"

    @property
    def topic(self) -> str:
        """rejected/<sensor_id>/<type>, or rejected/unreadable/unreadable for an invalid series."""
        try:
            return topics.REJECTED + series(*topics.labels(self.message.topic))
        except ValueError:
            return topics.REJECTED + "unreadable/unreadable"

    @property
    def payload(self) -> bytes:
        """Reason, topic and payload as JSON, each shortened to fit into one message."""
        letter = {
            "reason": self.reason[:_MAX_TEXT],
            "topic": self.message.topic[:_MAX_TEXT],
            "payload": self.message.payload.decode(errors="replace")[:_MAX_PAYLOAD],
        }
        return msgspec.json.encode(letter)
