"""Readings set aside because a write fails even with one of them alone."""

import time
from collections.abc import Callable

from bridge.batch import Part
from bridge.decode import Delivery
from telemetry.backoff import Backoff
from telemetry.mqtt import Message

Point = tuple[str, str]

MAX_POINTS = 1000
_FIRST_DELAY_S = 1.0
_LONGEST_DELAY_S = 60.0


class Aside:
    """Points that wait beside the others, unacknowledged, and are written again one at a time.

    Later readings of the same point join it, so that the last one written stays the last accepted.
    """

    def __init__(self, point: Callable[[str], Point]) -> None:
        self._point = point
        self._waiting: dict[Point, list[Delivery]] = {}  # the next to be written first
        self._backoff = Backoff(_FIRST_DELAY_S, _LONGEST_DELAY_S)
        self._due_at = 0.0

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def is_full(self) -> bool:
        return len(self._waiting) >= MAX_POINTS

    def add(self, delivery: Delivery) -> None:
        """Set a reading aside."""
        if not self._waiting:
            self._postpone()
        self._waiting.setdefault(self._point(delivery.record), []).append(delivery)

    def without(self, part: Part) -> tuple[Part, list[Message]]:
        """Take over the readings of `part` whose point waits here.

        Returns the others, and the messages to acknowledge because another takes their place.
        """
        if not self._waiting:
            return part, []
        others: list[Delivery] = []
        replaced: list[Message] = []
        for delivery in part:
            waiting = self._waiting.get(self._point(delivery.record))
            (others if waiting is None else waiting).append(delivery)
            if waiting:
                replaced += _earlier_copies(waiting)
        return others, replaced

    def due(self) -> Delivery | None:
        """Return the reading to write now; None if it is not time."""
        if not self._waiting or time.monotonic() < self._due_at:
            return None
        return next(iter(self._waiting.values()))[0]

    def settled(self, delivery: Delivery) -> None:
        """Forget the reading that was due: its outcome is known."""
        waiting = self._waiting.pop(self._point(delivery.record), [])
        if rest := [other for other in waiting if other is not delivery]:
            self._waiting[self._point(delivery.record)] = rest
        self._backoff.reset()
        self._due_at = 0.0

    def failed(self, delivery: Delivery) -> None:
        """Write the next point first, and later."""
        point = self._point(delivery.record)
        if point in self._waiting:
            self._waiting[point] = self._waiting.pop(point)
        self._postpone()

    def _postpone(self) -> None:
        self._due_at = time.monotonic() + self._backoff.next()


def _earlier_copies(waiting: list[Delivery]) -> list[Message]:
    """Remove what the last reading takes the place of; return the messages.

    That is the same reading, or of two at QoS 0 the earlier: a flood must not pile up here.
    """
    last = waiting[-1]

    def is_replaced(earlier: Delivery) -> bool:
        return earlier.origin == last.origin or not (earlier.message.qos or last.message.qos)

    copies = [earlier.message for earlier in waiting[:-1] if is_replaced(earlier)]
    waiting[:-1] = [earlier for earlier in waiting[:-1] if not is_replaced(earlier)]
    return copies
