"""How a service's process is doing: since when it runs, and whether its event loop keeps up."""

import asyncio
import time

from telemetry.durations import Longest
from telemetry.status import INTERVAL_S

_TICK_S = 0.1


class Vitals:
    """Measures the event loop while `run` runs."""

    def __init__(self) -> None:
        self._started = time.monotonic()
        self._lag = Longest(INTERVAL_S)

    def counters(self) -> dict[str, int]:
        """Return the age of the process (s), and the longest delay of the last 2 s (ms)."""
        return {
            "uptime_s": int(time.monotonic() - self._started),
            "loop_lag_ms": self._lag.milliseconds,
        }

    async def run(self) -> None:
        """Note how much later than it was due a timer is served, for ever."""
        while True:
            due = time.monotonic() + _TICK_S
            await asyncio.sleep(_TICK_S)
            self._lag.note(max(0.0, time.monotonic() - due))
