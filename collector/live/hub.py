"""The viewers of the page, and the feed that runs while there are any."""

import asyncio
import itertools
import logging
from typing import Any, Protocol

from collector.live import events
from collector.live.feed import PERIOD_S, Feed
from collector.settings import Settings
from telemetry import topics
from telemetry.mqtt import Sampler

logger = logging.getLogger(__name__)

MAX_VIEWERS = 300
_LINGER_S = 2  # a page that is loaded again, or moves on to another, is back by then
_PIPELINE_PERIODS = 2
_AGAIN_S = 1


class Viewer(Protocol):
    """A page that is open; what is written while it is not `writable` would be kept for it."""

    writable: bool

    def write(self, data: bytes) -> None: ...


class Hub:
    """Shows every viewer what is on the broker; a slow one misses frames and delays nobody.

    It is no part of the service: if it fails, that is logged and shown, and it begins again.
    """

    def __init__(self, settings: Settings) -> None:
        self._broker = settings.broker
        self._grafana: dict[str, Any] | None = None
        if port := settings.grafana_port:
            self._grafana = {"port": port, "tls": bool(settings.tls_names)}
        self._viewers: dict[Viewer, bool] = {}  # whether it has seen all frames so far
        self._task: asyncio.Task[None] | None = None
        self._left_at = 0.0

    @property
    def is_full(self) -> bool:
        return len(self._viewers) >= MAX_VIEWERS

    def enter(self, viewer: Viewer) -> None:
        """Write events to the viewer until it leaves."""
        self._viewers[viewer] = False
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run_while_wanted(), name="page")

    def leave(self, viewer: Viewer) -> None:
        self._viewers.pop(viewer, None)
        self._left_at = asyncio.get_running_loop().time()

    async def close(self) -> None:
        """End the connection to the broker."""
        if self._task:
            self._task.cancel()
            await asyncio.wait((self._task,))

    def _is_wanted(self) -> bool:
        silent_s = asyncio.get_running_loop().time() - self._left_at
        return bool(self._viewers) or silent_s < _LINGER_S

    async def _run_while_wanted(self) -> None:
        while self._is_wanted():
            try:
                await self._run()
            except Exception as error:  # the collector goes on without it
                logger.exception("the page's feed has failed, and begins again")
                why = f"the page's feed has failed: {error!r:.200}"
                self._show(b"", events.pipeline(why, self._grafana, [], 0))
                await asyncio.sleep(_AGAIN_S)

    async def _run(self) -> None:
        """Show what is on the broker; raises whatever fails."""
        sampler = Sampler(self._broker, f"{topics.READINGS}#", f"{topics.STATUS}#")
        connection = asyncio.create_task(sampler.run(), name="page's broker")
        try:
            feed = Feed(sampler)
            self._viewers = dict.fromkeys(self._viewers, False)
            for period in itertools.count():
                await asyncio.sleep(PERIOD_S)
                if connection.done() or not self._is_wanted():
                    break
                await feed.begin_period()
                is_due = period % _PIPELINE_PERIODS == 0
                self._show(feed.changes(), feed.pipeline(self._grafana) if is_due else b"", feed)
        finally:
            connection.cancel()
            await asyncio.wait((connection,))
            if not connection.cancelled():
                connection.result()

    def _show(self, changes: bytes, pipeline: bytes, feed: Feed | None = None) -> None:
        """Write a frame to each viewer that can take it."""
        frame, whole = changes + pipeline, b""
        for viewer, is_current in list(self._viewers.items()):
            if not viewer.writable:
                self._viewers[viewer] = False
            elif feed and not is_current:
                whole = whole or feed.all() + pipeline
                viewer.write(whole)
                self._viewers[viewer] = True
            elif frame:
                viewer.write(frame)
