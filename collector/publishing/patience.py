"""How long the publisher waits for a receipt before it takes the readings in flight for lost."""

import time

FIRST_S = 5.0
LONGEST_S = 60.0


class Patience:
    """A time limit on silence: 5 s at first, doubled each time it was exceeded in vain, to 60 s."""

    def __init__(self) -> None:
        self._silent_since = 0.0
        self._limit_s = FIRST_S

    @property
    def is_exhausted(self) -> bool:
        """Whether the silence has lasted longer than the limit."""
        return time.monotonic() - self._silent_since > self._limit_s

    def reset(self) -> None:
        """Start anew with the first limit: a receipt arrived, or the bridge changed its state."""
        self._limit_s = FIRST_S
        self.restart()

    def restart(self) -> None:
        """Start anew with the same limit."""
        self._silent_since = time.monotonic()

    def extend(self) -> None:
        """Start anew with twice the limit."""
        self._limit_s = min(2 * self._limit_s, LONGEST_S)
        self.restart()
