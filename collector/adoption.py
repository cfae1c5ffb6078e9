"""Drains the outboxes of the directory that nobody has: those of collectors that are gone."""

import asyncio
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

from collector.lane import Lane
from collector.outbox.claim import opened, unheld
from collector.outbox.outbox import Outbox
from collector.outbox.schema import OutboxHeld, OutboxUnusable
from collector.settings import Settings
from telemetry import process
from telemetry.status import OFFLINE

logger = logging.getLogger(__name__)

_LOOK_S = 1.0
# A collector that is started again takes its own outbox back before.
_UNHELD_S = 10.0
# After so long without any progress another one has its turn.
_PATIENCE_S = 60.0
# The own auditor may not notice that InfluxDB has lost a series of a drained outbox.
_AGAIN_S = 3600.0
_UNUSABLE_S = 600.0

Version = tuple[int, int, int, int]


class Adoption:
    """Adds lanes to those of a process, which begin with its own, and removes them when drained.

    The first outbox, with its devices, is adopted by anybody and for good. Who has it, and so one
    process alone, adopts the others: one at a time, so that a collector that is started finds the
    rest, and outboxes do not multiply.
    """

    def __init__(
        self, lanes: list[Lane], settings: Settings, lane_of: Callable[[Outbox], Lane]
    ) -> None:
        self._lanes = lanes
        self._settings = settings
        self._lane_of = lane_of
        self._first = Path(settings.outbox_path)
        self._unheld_since: dict[Path, float] = {}
        self._drained: dict[Path, tuple[Version, float]] = {}
        self._unusable: dict[Path, tuple[Version, float]] = {}
        self._said: set[str] = set()
        self._doubts = 0
        self._tasks: dict[Path, asyncio.Task[None]] = {}

    async def run(self) -> None:
        """Look every second, for ever; at its end closes what was adopted."""
        try:
            while True:
                await asyncio.sleep(_LOOK_S)
                self._look(time.monotonic())
        finally:
            for task in self._tasks.values():
                task.cancel()
            if self._tasks:
                await asyncio.wait(self._tasks.values())

    def _look(self, now: float) -> None:
        if (doubts := self._lanes[0].doubts) != self._doubts:
            self._doubts = doubts
            self._drained.clear()
        if (found := unheld(self._first)) is not None:
            since = self._unheld_since
            self._unheld_since = {path: since.get(path, now) for path in found}
        if path := next(self._due(now), None):
            name = f"adopted {path.name}"
            self._tasks[path] = asyncio.create_task(self._adopt(path), name=name)
            del self._unheld_since[path]

    def _due(self, now: float) -> Iterator[Path]:
        waiting = sorted(self._unheld_since.items(), key=lambda one: one[1])
        due = [
            path
            for path, since in waiting
            if now - since >= _UNHELD_S and not self._is_done(path, now)
        ]
        if self._first in due:
            yield self._first
        has_first = any(lane.outbox.path == self._first for lane in self._lanes)
        if has_first and not self._tasks.keys() - {self._first}:
            yield from due

    def _is_done(self, path: Path, now: float) -> bool:
        rests = [rest[path] for rest in (self._drained, self._unusable) if path in rest]
        return any(now < until and version == _version(path) for version, until in rests)

    async def _adopt(self, path: Path) -> None:
        """Drain an outbox; one that cannot be used must not end the process that has another."""
        rests, rest_s = self._drained, 0.0
        try:
            if await self._drain(path):
                rest_s = _AGAIN_S
        except OutboxHeld:
            pass
        except Exception as error:  # noqa: BLE001  what a damaged one leads to is not foreseen
            self._say(f"{path.name} is left alone: {error}", error)
            rests, rest_s = self._unusable, _UNUSABLE_S
        finally:
            del self._tasks[path]
        rests[path] = (_version(path), time.monotonic() + rest_s)

    def _say(self, text: str, error: Exception) -> None:
        """Log it once, not after each rest; with a traceback if it is not known what it means."""
        if text not in self._said:
            self._said.add(text)
            logger.error("%s", text, exc_info=not isinstance(error, OutboxUnusable) and error)

    async def _drain(self, path: Path) -> bool:
        """Run a lane for an outbox, and return whether it was drained."""
        with closing(opened(path, self._settings)) as outbox:
            logger.info("nobody has %s: adopted, with %d readings pending", path, outbox.pending)
            return await self._run(self._lane_of(outbox))

    async def _run(self, lane: Lane) -> bool:
        """Run an adopted lane, and return whether it was drained."""
        self._lanes.append(lane)

        async def leave() -> None:
            await lane.leave(OFFLINE if lane.left else b"")

        parts = lane.parts()
        if lane.outbox.path != self._first:
            parts["drained"] = _drained(lane)
        try:
            await process.run_parts(leave, parts)
        finally:
            self._lanes.remove(lane)
        return not lane.left


async def _drained(lane: Lane) -> None:
    """Return when nothing is left to do, or nothing was done for a while."""
    least, since = lane.left, time.monotonic()
    while lane.left or not lane.connected:
        await asyncio.sleep(_LOOK_S)
        if lane.left < least:
            least, since = lane.left, time.monotonic()
        elif time.monotonic() - since > _PATIENCE_S:
            return


def _version(path: Path) -> Version:
    """Return what differs when an outbox that nobody has was changed."""
    return _stat(path) + _stat(path.with_name(f"{path.name}-wal"))


def _stat(path: Path) -> tuple[int, int]:
    try:
        found = path.stat()
    except OSError:
        return 0, 0
    # A command that only reads leaves an empty log.
    return found.st_size, found.st_mtime_ns if found.st_size else 0
