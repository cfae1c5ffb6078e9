"""Which outbox of its directory a collector takes, and which ones nobody has."""

import contextlib
import fcntl
import logging
from collections.abc import Iterator
from pathlib import Path

from collector.outbox.outbox import Outbox
from collector.outbox.outboxes import MOST, number_of, numbered, outboxes, refuse_copy
from collector.outbox.schema import BUSY_S, OutboxHeld, OutboxUnusable, lock_of
from collector.settings import Settings

logger = logging.getLogger(__name__)

# How long a start waits for another program that writes the first outbox.
_FIRST_WAIT_S = 5.0


def claim(settings: Settings) -> Outbox:
    """Open the first outbox that nobody has, a new one if there is none.

    One that cannot be used, or is a copy, is left alone, unless it is the first. Raises
    OutboxUnusable.
    """
    first = Path(settings.outbox_path)
    try:
        first.parent.mkdir(parents=True, exist_ok=True)
        with _turn(first, fcntl.LOCK_EX):
            return _claim(first, settings)
    except OSError as error:
        raise OutboxUnusable(f"{first}: {error}") from error


def opened(path: Path, settings: Settings, wait_s: float = BUSY_S) -> Outbox:
    """Open or create an outbox, unless it is a copy; raises OutboxHeld or OutboxUnusable.

    Waits up to `wait_s` for another program that writes it.
    """
    refuse_copy(path, Path(settings.outbox_path))
    keep_s = settings.outbox_keep_hours * 3600
    return Outbox(path, max_bytes=settings.outbox_max_bytes, keep_s=keep_s, wait_s=wait_s)


def unheld(first: Path) -> list[Path] | None:
    """Return the outboxes that nobody has; None while that cannot be told."""
    with contextlib.suppress(OSError), _turn(first, fcntl.LOCK_EX | fcntl.LOCK_NB):
        return [path for path in outboxes(first) if not _is_held(path)]
    return None


def _claim(first: Path, settings: Settings) -> Outbox:
    found = dict.fromkeys([first, *outboxes(first)])
    for path in found:
        try:
            return opened(path, settings, _FIRST_WAIT_S if path == first else BUSY_S)
        except OutboxHeld:
            continue
        except OutboxUnusable as error:
            if path == first:
                raise
            logger.error("%s is left alone: %s", path.name, error)  # noqa: TRY400
    number = max(number_of(path, first) for path in found) + 1
    if number > MOST:
        raise OutboxUnusable(f"{first}: no further outbox: number {MOST}, the last one, is taken")
    return _new(numbered(first, number), settings)


def _new(path: Path, settings: Settings) -> Outbox:
    try:
        return opened(path, settings)
    except OutboxHeld:  # its file was taken away from whoever has it
        raise
    except OutboxUnusable:  # on a full disk every try would leave a file
        for end in ("", "-wal", "-shm", "-journal", ".lock"):
            path.with_name(path.name + end).unlink(missing_ok=True)
        raise


@contextlib.contextmanager
def _turn(first: Path, how: int) -> Iterator[None]:
    """Let one process at a time take an outbox, or look: who looks seems to have it."""
    with first.with_name(f"{first.name}.claim").open("w") as turn:
        fcntl.flock(turn, how)
        yield


def _is_held(path: Path) -> bool:
    with lock_of(path).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False
