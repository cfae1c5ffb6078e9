"""How many series each sender may begin."""

import time
from collections import Counter
from collections.abc import Callable, Container, Sequence
from typing import Protocol

_FORGET_S = 60.0


class Named(Protocol):
    """A reading that says the name of its series."""

    @property
    def series(self) -> str: ...


class TooManySeries(Exception):
    """A reading would begin a series, and its sender has begun as many as it may."""

    def __init__(self, series: str, most: int) -> None:
        sensor_id, _, kind = series.partition("/")
        super().__init__(
            f"sensor_id {sensor_id!r} with type {kind!r} would be a new series, and this sender has"
            f" {most} (MAX_SERIES)"
        )
        self.series = series


class SeriesLimit:
    """Who sends which series. Each belongs to the sender that sent it first since the start.

    What is `known`, to the outbox, is never refused: after a restart senders are charged for their
    series as they send them, and a series ends when the outbox has forgotten it.
    """

    def __init__(
        self, most: int, known: Container[str], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._most = most
        self._known = known
        self._clock = clock
        self._senders: dict[str, str] = {}  # by series
        self._counts: Counter[str] = Counter()  # of series, by sender
        self._forget_at = clock() + _FORGET_S

    def claim(self, sender: str, readings: Sequence[Named]) -> None:
        """Note the series of readings; raises TooManySeries, and then none of them is noted."""
        senders = self._senders
        for reading in readings:
            if reading.series not in senders:
                self._begin(sender, {r.series for r in readings if r.series not in senders})
                return

    def _begin(self, sender: str, new: set[str]) -> None:
        self._forget()
        begun = [name for name in new if name not in self._known]
        if begun and self._counts[sender] + len(begun) > self._most:
            raise TooManySeries(min(begun), self._most)
        self._senders.update(dict.fromkeys(new, sender))
        self._counts[sender] += len(new)

    def _forget(self) -> None:
        """Let go, from time to time, of series that are no longer known."""
        if self._clock() < self._forget_at:
            return
        self._forget_at = self._clock() + _FORGET_S
        kept = {name: sender for name, sender in self._senders.items() if name in self._known}
        self._senders, self._counts = kept, Counter(kept.values())
