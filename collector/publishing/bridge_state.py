"""Whether the bridge is storing, by its status messages."""

import time

from telemetry.status import Status

# The bridge publishes its status every 2 s; after this long without one it counts as gone.
_VALID_S = 6.0


class BridgeState:
    """What the bridge said last, for as long as that is valid."""

    def __init__(self) -> None:
        self.storing = False
        self._heard_at = 0.0

    def on_status(self, status: Status) -> bool:
        """Take over a status; return whether `storing` has changed."""
        self._heard_at = time.monotonic()
        return self._set(storing=status.state == "storing")

    def tick(self) -> bool:
        """Notice that no status has come for a while; return whether `storing` has changed."""
        is_valid = time.monotonic() - self._heard_at <= _VALID_S
        return self._set(storing=self.storing and is_valid)

    def _set(self, *, storing: bool) -> bool:
        changed = storing != self.storing
        self.storing = storing
        return changed
