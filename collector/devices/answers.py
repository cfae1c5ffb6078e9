"""What devices are told: accepted/<sensor_id> and refused/<sensor_id>, or that below to/<name>/."""

from collections import deque
from collections.abc import Callable
from contextlib import suppress

import msgspec

from collector.devices.refusal import Refusal
from telemetry import topics
from telemetry.mqtt import NotConnected

# Answers that wait for a connection, or for room. A device that gets none sends its readings again.
_MAX_HELD = 10_000
_MAX_UNACKNOWLEDGED = 5_000
# Keep an answer small, also while it waits; a device that mends these is told of the others.
_MAX_ERRORS = 20
_MAX_BYTES = 4096
_NO_REF = b"null"


class Answers:
    """Publishes answers; `publish` returns an id or raises NotConnected, `waiting` counts them."""

    def __init__(self, publish: Callable[[str, bytes], int], waiting: Callable[[], int]) -> None:
        self._publish = publish
        self._waiting = waiting
        self.dropped = 0
        """How many were too many to be held."""
        self._held: deque[tuple[str, bytes]] = deque(maxlen=_MAX_HELD)

    def accepted(self, to: str, sensor: str, ref: bytes, count: int) -> None:
        """Tell that the readings of a message are on disk; `to` is what the topic begins with."""
        self._send(to + topics.ACCEPTED + sensor, b'{"ref":%b,"count":%d}' % (ref, count))

    def refused(self, to: str, refusal: Refusal) -> None:
        """Tell what is wrong with a message, of which nothing is taken."""
        count = min(len(refusal.errors), _MAX_ERRORS)
        while len(answer := _content(refusal, count)) > _MAX_BYTES and count > 1:
            count //= 2
        self._send(to + topics.REFUSED + refusal.sensor, answer)

    def send_held(self) -> None:
        """Publish what was held, as far as there is room and a connection."""
        with suppress(NotConnected):
            while self._held and self._waiting() < _MAX_UNACKNOWLEDGED:
                self._publish(*self._held[0])
                self._held.popleft()

    def _send(self, topic: str, payload: bytes) -> None:
        self.dropped += len(self._held) == _MAX_HELD  # the oldest makes room
        self._held.append((topic, payload))
        self.send_held()


def _content(refusal: Refusal, count: int) -> bytes:
    answer: dict[str, object] = {"ref": msgspec.Raw(refusal.ref or _NO_REF)}
    if refusal.retry_after is not None:
        answer["retry_after"] = refusal.retry_after
    return msgspec.json.encode({**answer, "errors": refusal.errors[:count]})
