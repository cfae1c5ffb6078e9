"""The statuses of the services, as the page shows them."""

import time
from collections.abc import Callable, Sequence
from typing import Any

from telemetry.decode import Unreadable
from telemetry.printable import printable
from telemetry.reading import label_fault
from telemetry.status import Status, decode_status

MAX_SERVICES = 100
MAX_COUNTERS = 100
MAX_OFFLINE = 10
"""So many that are offline are remembered for as long as anybody looks."""
FORGOTTEN_S = 300
_SILENT_S = 10
_MAX_INTEGER = 2**53 - 1  # beyond it, JavaScript rounds
_LEVELS = 3


class Services:
    """Knows at most MAX_SERVICES. Anybody may be among them, but drives out none that is alive."""

    def __init__(self, now_s: Callable[[], float] = time.monotonic) -> None:
        self._now_s = now_s
        # By topic, the last heard of last: the status, and when it came.
        self._known: dict[bytes, tuple[Status, float]] = {}

    def put(self, messages: Sequence[tuple[bytes, bytes]]) -> None:
        """Take topics and payloads of status/#: all of known services, some of others."""
        self._forget()
        others = []
        for topic, payload in messages:
            if topic in self._known:
                self._take(topic, payload)
            else:
                others.append((topic, payload))
        for topic, payload in others[-MAX_SERVICES:]:
            levels = _levels(topic)
            if len(levels) == _LEVELS and not any(map(label_fault, levels)):
                self._take(topic, payload)

    def rows(self) -> list[dict[str, Any]]:
        """Return the services, the last heard of first; `age_s` is how long ago."""
        now = self._now_s()
        known = reversed(self._known.items())
        return [_row(topic, status, now - at) for topic, (status, at) in known]

    def _take(self, topic: bytes, payload: bytes) -> None:
        if not payload:  # clears a retained status
            self._known.pop(topic, None)
            return
        try:
            status = decode_status(payload)
        except Unreadable:
            return
        self._known.pop(topic, None)
        if len(self._known) < MAX_SERVICES or self._drop_one():
            self._known[topic] = status, self._now_s()

    def _drop_one(self) -> bool:
        """Drop a service that is offline, or else one that is silent; return whether there was."""
        silent = self._now_s() - _SILENT_S
        gone = [
            (status.state != "offline", at, topic)
            for topic, (status, at) in self._known.items()
            if status.state == "offline" or at < silent
        ]
        if gone:
            del self._known[min(gone)[-1]]
        return bool(gone)

    def _forget(self) -> None:
        """Forget what was not heard of for long, but for the last ones that are offline."""
        long_ago = self._now_s() - FORGOTTEN_S
        offline = [topic for topic, (status, _) in self._known.items() if status.state == "offline"]
        kept = set(offline[-MAX_OFFLINE:])
        self._known = {
            topic: (status, at)
            for topic, (status, at) in self._known.items()
            if at >= long_ago or topic in kept
        }


def _levels(topic: bytes) -> list[str]:
    return topic.decode(errors="replace").split("/")


def _row(topic: bytes, status: Status, age_s: float) -> dict[str, Any]:
    _, service, instance = _levels(topic)
    return {
        "service": service,
        "instance": instance,
        "state": printable(status.state, 40),
        "reason": status.reason and printable(status.reason, 300),
        "age_s": round(age_s, 1),
        "counters": _bounded(status.counters),
    }


def _bounded(counters: dict[str, int]) -> dict[str, int]:
    found = list(counters.items())[:MAX_COUNTERS]
    return {
        name: number
        for name, number in found
        if not label_fault(name) and abs(number) <= _MAX_INTEGER
    }
