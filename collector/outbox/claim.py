"""Which outbox of its directory a collector takes."""

from pathlib import Path

from collector.outbox.outbox import Outbox
from collector.settings import Settings


def opened(path: Path, settings: Settings) -> Outbox:
    """Open or create an outbox; raises OutboxUnusable."""
    keep_s = settings.outbox_keep_hours * 3600
    return Outbox(path, max_bytes=settings.outbox_max_bytes, keep_s=keep_s)
