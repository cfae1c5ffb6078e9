"""What is on the broker, as events."""

import asyncio
from collections import deque
from collections.abc import Iterable
from typing import Any

from collector.live import events
from collector.live.newest import AT_ONCE, NewestReadings
from collector.live.services import Services
from telemetry import topics
from telemetry.mqtt import Sampler

PERIOD_S = 0.5
MAX_SHOWN = 800
"""Readings in one frame: to decode one costs more than all else about it."""
_RATE_PERIODS = 10
_STATUS = topics.STATUS.encode()


class Feed:
    """Turns what a sampler has taken into events, period by period."""

    def __init__(self, sampler: Sampler) -> None:
        self._sampler = sampler
        self._newest = NewestReadings()
        self._services = Services()
        self._arrivals: deque[int] = deque([0], maxlen=_RATE_PERIODS)
        self._shown: list[bytes] = []

    async def begin_period(self) -> None:
        """Take what has arrived since the last call."""
        messages, arrived = self._sampler.take()
        statuses = [topic for topic in messages if topic.startswith(_STATUS)]
        self._services.put([(topic, messages.pop(topic)) for topic in statuses])
        self._newest.put(messages)
        self._shown = []
        for _ in range(MAX_SHOWN // AT_ONCE):
            self._shown += self._newest.changes()
            await asyncio.sleep(0)
        self._arrivals.append(max(0, arrived - len(statuses)))

    def changes(self) -> bytes:
        """Return the event of the readings that this period shows; empty if there are none."""
        if not (self._shown or self._arrivals[-1]):
            return b""
        return self._readings(self._shown, whole=False)

    def all(self) -> bytes:
        """Return the event of the newest reading of every series."""
        return self._readings(self._newest.all(), whole=True)

    def pipeline(self, grafana: dict[str, Any] | None) -> bytes:
        """Return the event of the services."""
        sampler = self._sampler
        obstacle = None if sampler.connected else sampler.obstacle or "connecting"
        rate = sum(self._arrivals) / (PERIOD_S * len(self._arrivals))
        return events.pipeline(obstacle, grafana, self._services.rows(), round(rate, 1))

    def _readings(self, readings: Iterable[bytes], *, whole: bool) -> bytes:
        return events.readings(
            readings,
            whole=whole,
            arrived=self._arrivals[-1],
            shown=len(self._shown),
            series=len(self._newest),
            forgotten=self._newest.forgotten,
        )
