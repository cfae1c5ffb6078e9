"""Whether the storage takes readings: storing, refusing or waiting, each with its reason."""

import logging
from collections.abc import Callable

from bridge.batch import Batch

logger = logging.getLogger(__name__)

# After so many rejected readings in a row the storage is said to refuse them all.
_REFUSING = 10


class State:
    """What the last writes say; `on_change` is called when that changes."""

    def __init__(self, storage: str, on_change: Callable[[], None]) -> None:
        self._storage = storage
        self._on_change = on_change
        self._rejected_in_row = 0
        self._rejection = ""
        self.waiting: str | None = f"no answer yet from {storage}"
        """What the bridge is waiting for; None while the storage answers."""

    @property
    def refusing(self) -> str | None:
        """Why the last readings were all rejected; None if one of them was stored."""
        return self._rejection if self._rejected_in_row >= _REFUSING else None

    def wait(self, reason: str | None) -> None:
        """Log and report that the storage is waited for, or with None that it answers."""
        if reason == self.waiting:
            return
        if reason is None:
            logger.info("%s stores", self._storage)
        else:
            logger.warning("waiting for %s", reason)
        self.waiting = reason
        self._on_change()

    def note(self, batch: Batch) -> None:
        """Notice when everything is rejected, and when that is over."""
        before = self.refusing
        if batch.stored:
            self._rejected_in_row = 0
        elif batch.rejected:
            self._rejected_in_row += len(batch.rejected)
            self._rejection = batch.rejected[-1][1]
        if (before is None) != (self.refusing is None):
            logger.warning("%s rejects every reading: %s", self._storage, self.refusing or "over")
            self._on_change()
