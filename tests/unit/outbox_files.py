"""Files of outboxes that tests claim, make, copy and damage."""

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from collector.outbox.claim import claim
from collector.outbox.outbox import Outbox
from collector.outbox.row import Draft
from collector.settings import Settings


def make(path: Path) -> None:
    """Make an outbox with a reading, and release it."""

    async def make() -> None:
        with closing(Outbox(path, max_bytes=1 << 30, keep_s=3600)) as outbox:
            await outbox.append([Draft("1/t", 1, b'{"value":1}')])

    asyncio.run(make())


def copy(path: Path, to: Path) -> None:
    """Copy an outbox, as `backup` does."""
    with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(to)) as target:
        source.backup(target)


def damage(path: Path, table: str) -> None:
    """Write noise over the first page of a table, in an outbox that nobody has."""
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        (size,) = db.execute("PRAGMA page_size").fetchone()
        (root,) = db.execute(
            "SELECT rootpage FROM sqlite_master WHERE name = ?", [table]
        ).fetchone()
    with path.open("r+b") as file:
        file.seek((root - 1) * size)
        file.write(b"noise" * (size // 5))


def claiming(directory: Path, count: int, check: Callable[[list[Outbox]], None]) -> None:
    """Check that many claimed outboxes, and close them."""

    async def run() -> None:
        settings = settings_in(directory)
        claimed: list[Outbox] = []
        try:
            for _ in range(count):
                claimed.append(claim(settings))  # noqa: PERF401  those before a failure are closed
            check(claimed)
        finally:
            for outbox in claimed:
                outbox.close()

    asyncio.run(run())


def settings_in(directory: Path) -> Settings:
    return Settings(outbox_path=str(directory / "outbox.db"))


def names(outboxes: list[Outbox]) -> list[str]:
    return [outbox.path.name for outbox in outboxes]


def files(directory: Path) -> set[str]:
    return {path.name for path in directory.glob("*.db")}
