"""How long to wait before the next attempt."""

import random


class Backoff:
    """Delays that double from `first_s` to `longest_s` seconds, with jitter against crowds."""

    def __init__(self, first_s: float, longest_s: float) -> None:
        self._first_s = first_s
        self._longest_s = longest_s
        self._delay_s = first_s

    def next(self) -> float:
        """Return the seconds to wait now: between half of the current delay and all of it."""
        delay_s = self._delay_s
        self._delay_s = min(2 * delay_s, self._longest_s)
        return random.uniform(delay_s / 2, delay_s)  # noqa: S311  not a secret

    def reset(self) -> None:
        """Start again from `first_s`."""
        self._delay_s = self._first_s
