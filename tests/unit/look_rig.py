"""A publisher that has lost its broker, and outboxes beside its own."""
# ruff: noqa: SLF001  the rig's event loop and directory

import asyncio
import sqlite3
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from collector.outbox.outbox import Outbox
from collector.outbox.row import Draft
from telemetry.receipt import Receipt, Rejection
from tests.unit.publisher_model import PublisherRig

EARLIER, LATER = 1_000_000, 1_000_060


class LookRig(PublisherRig):
    """A publisher that has lost its broker, and outboxes beside its own."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__()
        self._monkeypatch = monkeypatch
        self._others = ExitStack()
        self.at(EARLIER)

    def at(self, second: int) -> None:
        """Let what is accepted from now on be accepted in this second."""
        self._monkeypatch.setattr("collector.outbox.outbox.time.time", lambda: second)

    def beside(self, *times: int, series: str = "1/t", number: int = 2) -> Outbox:
        """Accept readings with these timestamps in another outbox."""
        path = Path(self._directory.name, f"outbox-{number}.db")

        async def fill() -> Outbox:
            outbox = Outbox(path, max_bytes=1 << 30, keep_s=3600)
            self._others.callback(outbox.close)
            await outbox.append([Draft(series, ns, b'{"value":2}') for ns in times])
            return outbox

        return self._loop.run_until_complete(fill())

    def numbers(self) -> list[int]:
        """Return the numbers of what was sent."""
        return [number for _, number, _ in self.sent]

    def answer(self, other: Outbox, *, stored: bool) -> None:
        """Let InfluxDB store or reject the first reading of another outbox."""

        async def settle() -> None:
            rejected = [] if stored else [Rejection(1, "no")]
            other.settle(Receipt([(1, 1)] if stored else [], rejected, run=other.run))
            other.commit()

        self._loop.run_until_complete(settle())

    def prune(self, other: Outbox) -> None:
        """Let what is stored and was read back leave another outbox."""
        with closing(sqlite3.connect(other.path)) as db, db:
            db.execute("DELETE FROM reading")

    def look(self) -> None:
        """Look until that has ended."""

        async def look() -> None:
            running = asyncio.create_task(self.publisher.look.run())
            async with asyncio.timeout(10):
                while self.publisher.look.until(999) < 999:  # noqa: ASYNC110
                    await asyncio.sleep(0.001)
            running.cancel()

        self._loop.run_until_complete(look())
        self.settle_down()

    def rest(self) -> None:
        """Let the pause after a look be over."""
        self.publisher.look._due_at = 0

    def close(self) -> None:
        self._others.close()
        super().close()
