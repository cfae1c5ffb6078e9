"""How much each sender may do in a second."""

import math
import time
from collections.abc import Callable

# The senders that have been busy; whoever has been idle for the longest is forgotten, and begins
# anew. Senders without a token are known by their addresses, of which there may be many.
_MAX_KNOWN = 10_000
_BURST_S = 10.0


class RateExceeded(Exception):
    """A sender has done too much; it may go on after `wait_s`, in whole seconds."""

    def __init__(self, detail: str, wait_s: int) -> None:
        super().__init__(detail)
        self.wait_s = wait_s


class Rates:
    """A token bucket for each sender, of `per_s` a second and what comes together in `burst_s`.

    What has been spent may be more than there was: a whole batch fits in, however large it is, and
    the next has to wait until it is paid for.
    """

    def __init__(
        self, per_s: float, burst_s: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._per_s = per_s
        self._burst_s = burst_s
        self._clock = clock
        self._paid_at: dict[str, float] = {}  # when nothing that was spent will be left to pay

    def wait_s(self, sender: str) -> int:
        """Return after how many seconds a sender may spend again; 0: now."""
        paid_at = self._paid_at.get(sender)
        return 0 if paid_at is None else max(0, math.ceil(paid_at - self._clock()))

    def spend(self, sender: str, count: int = 1) -> None:
        """Count what a sender has done."""
        begins = self._clock() - self._burst_s
        paid_at = max(self._paid_at.pop(sender, begins), begins)
        self._paid_at[sender] = paid_at + count / self._per_s
        if len(self._paid_at) > _MAX_KNOWN:
            del self._paid_at[next(iter(self._paid_at))]


class RateLimit:
    """RATE_LIMIT: readings per second of each sender, by HTTP and MQTT together; 0: any number."""

    def __init__(self, per_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_s = per_s
        self._rates = Rates(per_s, _BURST_S, clock) if per_s else None

    def check(self, sender: str) -> None:
        """Raise RateExceeded if a sender has to wait before it may send another reading."""
        if self._rates and (wait_s := self._rates.wait_s(sender)):
            raise RateExceeded(
                f"more than {self._per_s:g} readings per second (RATE_LIMIT)", wait_s
            )

    def spend(self, sender: str, count: int) -> None:
        """Count readings against the rate of their sender."""
        if self._rates:
            self._rates.spend(sender, count)
