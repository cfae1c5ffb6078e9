"""The statuses of the services, as the page shows them."""

import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any

from telemetry.decode import Unreadable
from telemetry.printable import printable
from telemetry.reading import label_fault
from telemetry.status import Status, decode_status

MAX_SERVICES = 100
MAX_COUNTERS = 100
_MAX_AT_ONCE = 200
_MAX_INTEGER = 2**53  # beyond it, JavaScript rounds
_LEVELS = 3


class Services:
    """Knows at most MAX_SERVICES: those that were heard of last. Anybody may be among them."""

    def __init__(self, now_s: Callable[[], float] = time.monotonic) -> None:
        self._now_s = now_s
        self._known: OrderedDict[tuple[str, str], tuple[Status, float]] = OrderedDict()

    def put(self, messages: Sequence[tuple[bytes, bytes]]) -> None:
        """Take topics and payloads of status/#."""
        for topic, payload in messages[-_MAX_AT_ONCE:]:
            levels = topic.decode(errors="replace").split("/")
            if len(levels) == _LEVELS and not any(map(label_fault, levels)):
                self._take((levels[1], levels[2]), payload)

    def rows(self) -> list[dict[str, Any]]:
        """Return the services, the last heard of first; `age_s` is how long ago."""
        now = self._now_s()
        return [
            {
                "service": service,
                "instance": instance,
                "state": printable(status.state, 40),
                "reason": status.reason and printable(status.reason, 300),
                "age_s": round(now - at, 1),
                "counters": _bounded(status.counters),
            }
            for (service, instance), (status, at) in reversed(self._known.items())
        ]

    def _take(self, name: tuple[str, str], payload: bytes) -> None:
        if not payload:  # clears a retained status
            self._known.pop(name, None)
            return
        try:
            self._known[name] = decode_status(payload), self._now_s()
        except Unreadable:
            return
        self._known.move_to_end(name)
        if len(self._known) > MAX_SERVICES:
            self._known.popitem(last=False)


def _bounded(counters: dict[str, int]) -> dict[str, int]:
    found = list(counters.items())[:MAX_COUNTERS]
    return {
        name: number
        for name, number in found
        if not label_fault(name) and abs(number) <= _MAX_INTEGER
    }
