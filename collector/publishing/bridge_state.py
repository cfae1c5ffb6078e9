"""Whether any bridge is storing, by the status messages of each."""

import time

from telemetry.status import Status

# A bridge publishes its status every 2 s; after this long without one it counts as gone.
_VALID_S = 6.0
# Instances are anybody's words: so many are remembered.
_MAX_BRIDGES = 100
# While InfluxDB refuses every reading, a replay is answered too: with a rejection.
_ANSWERING = {"storing", "refusing"}


class BridgeState:
    """What each bridge said last, for as long as that is valid."""

    def __init__(self) -> None:
        self.storing = False
        self._heard: dict[str, tuple[bool, float]] = {}  # instance: storing, when

    def is_storing(self, instance: str) -> bool:
        """Return whether this bridge said so lately."""
        storing, _ = self._heard.get(instance, (False, 0.0))
        return storing

    def on_status(self, instance: str, status: Status) -> bool:
        """Take over a bridge's status; return whether `storing` has changed."""
        self._heard.pop(instance, None)
        if len(self._heard) == _MAX_BRIDGES:
            del self._heard[next(iter(self._heard))]  # heard the longest ago
        self._heard[instance] = (status.state in _ANSWERING, time.monotonic())
        return self._update()

    def tick(self) -> bool:
        """Forget bridges that have gone; return whether `storing` has changed."""
        now = time.monotonic()
        self._heard = {i: said for i, said in self._heard.items() if now - said[1] <= _VALID_S}
        return self._update()

    def _update(self) -> bool:
        before, self.storing = self.storing, any(storing for storing, _ in self._heard.values())
        return self.storing != before
