"""The readings that were sent and have no receipt yet."""

import time
from collections import OrderedDict

from telemetry.durations import SLOW_S, Histogram
from telemetry.ranges import Ranges
from telemetry.receipt import Receipt

# Readings in flight to the bridge: enough to keep it busy, few enough that a new reading does not
# wait long behind them. Old readings leave room for new ones.
MAX_IN_FLIGHT = 20_000
MAX_OLD_IN_FLIGHT = 5_000
# Readings whose receipts are timed at once: each burst has one.
_MAX_TIMED = 256


class InFlight:
    """Sequence numbers of readings that were sent; each is in one of three places.

    - In flight: sent while the bridge was storing. The broker keeps their order for the bridge,
      so a receipt shows that whatever was sent before it and has none is lost. `len()` and `in`
      speak of these.
    - `uncertain`: sent before a restart, or while the bridge was not storing. They may still be
      queued for the bridge, or the queue was full and the broker dropped them. The next receipt
      for something sent later tells, or silence while the bridge is storing.
    - `lost`: to be replayed, oldest first, once the bridge is storing.
    """

    def __init__(self, uncertain: Ranges) -> None:
        self.uncertain = uncertain
        self.lost = Ranges()
        self.sent = 0
        """How many times a reading was sent, replays included."""
        self._order: OrderedDict[int, int] = OrderedDict()  # sequence number: count of `sent`
        self.receipt_times = Histogram(SLOW_S)
        self._timed: dict[int, float] = {}  # when some of `_order` were sent

    def __len__(self) -> int:
        return len(self._order)

    def __contains__(self, seq: int) -> bool:
        return seq in self._order

    @property
    def pending(self) -> int:
        """How many readings are in one of the three places."""
        return len(self._order) + len(self.uncertain) + len(self.lost)

    @property
    def awaits_receipts(self) -> bool:
        """Whether a receipt may still come for something that was sent."""
        return bool(self._order or self.uncertain)

    def add(self, seq: int, *, storing: bool) -> None:
        """Note that a reading was sent, and whether the bridge is storing."""
        self.sent += 1
        self._order.pop(seq, None)
        if storing:
            self._order[seq] = self.sent
        else:
            self.uncertain.add(seq, seq)

    def time_last(self) -> None:
        """Time the receipt of the reading that was sent last; to be called after each burst."""
        if self._order and len(self._timed) < _MAX_TIMED:
            self._timed.setdefault(next(reversed(self._order)), time.monotonic())

    def settle(self, receipt: Receipt) -> None:
        """Drop what has a receipt; what was sent before the latest of it is lost."""
        latest = 0
        for first, last in receipt.ranges:
            self.uncertain.remove(first, last)
            self.lost.remove(first, last)
            for seq in self._within(first, last):
                latest = max(latest, self._order.pop(seq))
                if seq in self._timed:
                    self.receipt_times.observe(time.monotonic() - self._timed.pop(seq))
        if latest:
            self._lose_until(latest)

    def drop(self, first: int, last: int) -> None:
        """Forget that the readings first..last were sent."""
        self.uncertain.remove(first, last)
        self.lost.remove(first, last)
        for seq in self._within(first, last):
            del self._order[seq]
            self._timed.pop(seq, None)

    def _within(self, first: int, last: int) -> list[int]:
        """Return what of first..last is in flight, whichever of the two is shorter."""
        if last - first < len(self._order):
            return [seq for seq in range(first, last + 1) if seq in self._order]
        return [seq for seq in self._order if first <= seq <= last]

    def make_uncertain(self) -> None:
        """Note that the bridge has stopped storing."""
        for seq in self._order:
            self.uncertain.add(seq, seq)
        self._order.clear()
        self._timed.clear()

    def lose_all(self) -> None:
        """Take everything that was sent for lost."""
        self._lose_until(self.sent)

    def _lose_until(self, latest: int) -> None:
        for first, last in self.uncertain:
            self.lost.add(first, last)
        self.uncertain.clear()
        order = self._order
        while order:
            seq, count = order.popitem(last=False)
            if count > latest:
                order[seq] = count
                order.move_to_end(seq, last=False)
                return
            self._timed.pop(seq, None)
            self.lost.add(seq, seq)
