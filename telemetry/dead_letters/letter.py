"""Dead letters: what is published about a message that will not be stored."""

from typing import NamedTuple, Self

import msgspec

from telemetry import topics
from telemetry.mqtt import Message
from telemetry.reading import series

# Keep a dead letter small, also while it waits, and even if JSON escapes all of it.
_MAX_TEXT = 1000
_MAX_BYTES = 4  # of a character in UTF-8


class DeadLetter(NamedTuple):
    """A message that is rejected or unreadable, and why."""

    message: Message
    reason: str

    @classmethod
    def about(cls, message: Message, reason: str) -> Self:
        """Make one that keeps of the message only what is shown."""
        topic, payload = message.topic[:_MAX_TEXT], message.payload[: _MAX_BYTES * _MAX_TEXT]
        return cls(message._replace(topic=topic, payload=payload), reason)

    def __str__(self) -> str:
        return f"{self.message.topic[:_MAX_TEXT]}: {self.reason[:_MAX_TEXT]}"

    @property
    def topic(self) -> str:
        """rejected/<sensor_id>/<type>, or rejected/unreadable/unreadable for an invalid series."""
        try:
            return topics.REJECTED + series(*topics.labels(topics.sent_by(self.message.topic)[1]))
        except ValueError:
            return topics.REJECTED + "unreadable/unreadable"

    @property
    def payload(self) -> bytes:
        """Reason, topic and payload as JSON, each shortened to fit into one message."""
        letter = {
            "reason": self.reason[:_MAX_TEXT],
            "topic": self.message.topic[:_MAX_TEXT],
            "payload": self.message.payload.decode(errors="replace")[:_MAX_TEXT],
        }
        return msgspec.json.encode(letter)
