"""The bounded buffer between the sensors, which never wait, and the sender, which may have to."""

from collections import deque
from threading import Condition


class Buffer:
    """Readings in order, `capacity` at most, those on their way included. Thread-safe."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self._waiting: deque[str] = deque()
        self._sent: list[str] = []  # taken, and not yet settled
        self._closed = False
        self._changed = Condition()

    def __len__(self) -> int:
        """Count the readings not yet settled."""
        with self._changed:
            return len(self._waiting) + len(self._sent)

    def put(self, reading: str) -> str | None:
        """Add a reading. Return the one dropped for it when full: the oldest not on its way."""
        with self._changed:
            self._waiting.append(reading)
            self._changed.notify()
            if len(self._waiting) + len(self._sent) > self.capacity:
                return self._waiting.popleft()
            return None

    def close(self) -> None:
        """Say that no reading will follow: what is there can be taken, however few they are."""
        with self._changed:
            self._closed = True
            self._changed.notify()

    def take(self, number: int) -> list[str]:
        """Wait until there are `number` readings and take them, to be settled or given back.

        After `close`, take what is left; an empty list is the end.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._closed or len(self._waiting) >= number)
            number = min(number, len(self._waiting))
            self._sent = [self._waiting.popleft() for _ in range(number)]
            return list(self._sent)

    def settle(self) -> None:
        """Let go of what was taken: acknowledged, or refused for good."""
        with self._changed:
            self._sent = []

    def give_back(self) -> None:
        """Put what was taken back where it was, to be taken again."""
        with self._changed:
            self._waiting.extendleft(reversed(self._sent))
            self._sent = []
