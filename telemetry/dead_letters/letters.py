"""Publishes dead letters, as many as the broker takes, and acknowledges their messages."""

import time
from collections.abc import Callable

from telemetry.dead_letters.letter import DeadLetter
from telemetry.mqtt import Message

# Dead letters that the broker has not acknowledged: there are 65,535 MQTT ids in all.
WINDOW = 1000
# Whoever publishes nonsense gets this many explained per second, after a first burst.
RATE = 100
BURST = 1000


class DeadLetters:
    """Each message is acknowledged once the broker has its dead letter, or at once without one.

    `publish` returns an MQTT id, or raises NotConnected.
    """

    def __init__(
        self, publish: Callable[[str, bytes], int], ack: Callable[[Message], None]
    ) -> None:
        self._publish = publish
        self._ack = ack
        self.dropped = 0
        """How many were too many to be published."""
        self._sent: dict[int, Message] = {}
        self._allowance = float(BURST)
        self._counted_at = time.monotonic()

    def send(self, letter: DeadLetter) -> None:
        """Publish a dead letter, unless there are too many; raises NotConnected."""
        if len(self._sent) < WINDOW and self._is_allowed():
            self._sent[self._publish(letter.topic, letter.payload)] = letter.message
        else:
            self.dropped += 1
            self._ack(letter.message)

    def on_puback(self, mid: int) -> None:
        """Acknowledge the message: the broker has its dead letter."""
        if message := self._sent.pop(mid, None):
            self._ack(message)

    def _is_allowed(self) -> bool:
        now = time.monotonic()
        earned = (now - self._counted_at) * RATE
        self._allowance = min(BURST, self._allowance + earned)
        self._counted_at = now
        if self._allowance < 1:
            return False
        self._allowance -= 1
        return True
