"""The newest reading of each series, as fragments of JSON for the page."""

import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from itertools import islice

import msgspec

from telemetry.decode import Unreadable
from telemetry.published import decode

MAX_SERIES = 10_000
AT_ONCE = 100
"""Readings that are decoded in one go: requests wait for a millisecond at most."""
_NS_PER_MS = 1_000_000


class NewestReadings:
    """Knows at most MAX_SERIES series: those that changed last.

    A series that changed waits until it is shown, in its turn, with the newest reading that has
    arrived by then.
    """

    def __init__(self, now_ns: Callable[[], int] = time.time_ns) -> None:
        self.forgotten = 0
        """How many series there was no room for."""
        self._now_ns = now_ns
        self._waiting: dict[bytes, bytes] = {}  # payloads by topic
        self._known: OrderedDict[str, tuple[int, bytes]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._known)

    def put(self, messages: Mapping[bytes, bytes]) -> None:
        """Take messages of readings/#."""
        self._waiting.update(messages)
        excess = len(self._waiting) - MAX_SERIES
        for topic in list(islice(self._waiting, max(0, excess))):
            del self._waiting[topic]
            self.forgotten += 1

    def changes(self) -> list[bytes]:
        """Return the next readings to show, each as `[sensor_id, type, ms, value]`."""
        topics = list(islice(self._waiting, AT_ONCE))
        shown = (self._show(topic, self._waiting.pop(topic)) for topic in topics)
        return [reading for reading in shown if reading]

    def all(self) -> Iterator[bytes]:
        """Return the newest reading of each series, as `changes` does."""
        return (reading for _, reading in self._known.values())

    def _show(self, topic: bytes, payload: bytes) -> bytes | None:
        """Return a reading; None if it is none, or an older one than is known of its series."""
        try:
            series, value, ns, _ = decode(topic.decode(errors="replace"), payload)
        except Unreadable:  # the bridge tells of it; or a device's, which comes again as a reading
            return None
        # As at the collector: a timestamp ahead counts as the present, or it would stay for long.
        ns = min(ns, self._now_ns())
        known = self._known.get(series)
        if known and ns < known[0]:
            return None
        if known is None and len(self._known) == MAX_SERIES:
            self._known.popitem(last=False)
            self.forgotten += 1
        sensor_id, type_ = series.split("/")
        reading = msgspec.json.encode((sensor_id, type_, ns / _NS_PER_MS, float(value)))
        self._known[series] = ns, reading
        self._known.move_to_end(series)
        return reading
