"""The bounded buffer between the sensors, which never wait, and the sender, which may."""

from collections import deque
from threading import Condition


class Buffer:
    """Up to `capacity` readings in order, including the batch being sent. Thread-safe."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self._waiting: deque[str] = deque()
        self._taken: list[str] = []  # the batch being sent
        self._closed = False
        self._changed = Condition()

    def __len__(self) -> int:
        with self._changed:
            return len(self._waiting) + len(self._taken)

    def put(self, reading: str) -> str | None:
        """Add a reading. If full, drop and return the oldest one that is not being sent."""
        with self._changed:
            self._waiting.append(reading)
            self._changed.notify()
            if len(self._waiting) + len(self._taken) > self.capacity:
                return self._waiting.popleft()
            return None

    def close(self) -> None:
        """Declare that no reading will follow, so that `take` no longer waits for a full batch."""
        with self._changed:
            self._closed = True
            self._changed.notify()

    def take(self, number: int) -> list[str]:
        """Wait for `number` readings and take them; follow with `done` or `put_back`.

        After `close`, returns what is left; an empty list means the end.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._closed or len(self._waiting) >= number)
            number = min(number, len(self._waiting))
            self._taken = [self._waiting.popleft() for _ in range(number)]
            return list(self._taken)

    def done(self) -> None:
        """Discard the readings taken: they were accepted, or refused for good."""
        with self._changed:
            self._taken = []

    def put_back(self) -> None:
        """Return the readings taken to the front of the buffer."""
        with self._changed:
            self._waiting.extendleft(reversed(self._taken))
            self._taken = []
