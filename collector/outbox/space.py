"""How much the outbox takes, and how much it may still take."""

import shutil
import sqlite3
from pathlib import Path

# Kept free on the disk, so that receipts can still be recorded and rows be pruned.
_DISK_RESERVE = 8 << 20


class Space:
    """The size of the outbox and its bounds, in bytes, as of the last `measure`."""

    def __init__(self, db: sqlite3.Connection, directory: Path, max_bytes: int) -> None:
        self._db = db
        self._directory = directory
        self.max_bytes = max_bytes
        self._page_size: int
        (self._page_size,) = db.execute("PRAGMA page_size").fetchone()
        self.used: int
        self.left: int
        self.measure()

    @property
    def full(self) -> str | None:
        """Why no reading can be accepted now, or None while there is room."""
        return self.bound if self.left <= 0 else None

    @property
    def is_roomy(self) -> bool:
        """Whether less than half of what the outbox may take is used."""
        return self.used < self.max_bytes // 2

    @property
    def is_tight(self) -> bool:
        """Whether more than three quarters of what the outbox may take are used."""
        return self.used > self.max_bytes * 3 // 4

    @property
    def is_short(self) -> bool:
        """Whether less than an eighth of what the outbox may take is left."""
        return self.left < self.max_bytes // 8

    def measure(self) -> None:
        """Update `used`, `left` and `bound`, the reason why no more than `left` fits."""
        (pages,) = self._db.execute("PRAGMA page_count").fetchone()
        (free_pages,) = self._db.execute("PRAGMA freelist_count").fetchone()
        self.used = (pages - free_pages) * self._page_size
        self.left = self.max_bytes - self.used
        self.bound = f"the outbox holds its {self.max_bytes} bytes (OUTBOX_MAX_BYTES)"
        on_disk = shutil.disk_usage(self._directory).free - _DISK_RESERVE
        if on_disk < self.left:
            self.left = on_disk
            self.bound = "the disk under the outbox is full"
