"""uvicorn on a listening socket of ours, with the fast path and without its signal handlers."""

import asyncio
import contextlib
import socket
from collections.abc import Iterator, Sequence
from functools import partial
from typing import cast

import uvicorn

from collector.http.app import App
from collector.http.data import DataEndpoint
from collector.http.fast_path import FastPathProtocol
from collector.lane import Lane

_SHUTDOWN_S = 3
_KEEP_ALIVE_S = 75  # a device that posts once per minute need not connect each time


class Server(uvicorn.Server):
    """Serves the HTTP interface of some lanes until `stop`."""

    def __init__(self, endpoint: DataEndpoint, lanes: Sequence[Lane]) -> None:
        protocol = partial(FastPathProtocol, endpoint, {})
        super().__init__(
            uvicorn.Config(
                App(endpoint, lanes),
                http=cast("type[asyncio.Protocol]", protocol),
                access_log=False,
                log_config=None,
                lifespan="off",
                ws="none",
                server_header=False,
                timeout_keep_alive=_KEEP_ALIVE_S,
                timeout_graceful_shutdown=_SHUTDOWN_S,
            )
        )
        self._ended = asyncio.Event()

    async def run_on(self, listener: socket.socket) -> None:
        """Answer requests until `stop`, and the ones under way for up to 3 s more."""
        try:
            await self.serve([listener])
        finally:
            self._ended.set()

    async def stop(self) -> None:
        """Return when the last request has been answered."""
        self.should_exit = True
        await self._ended.wait()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals to telemetry.process (called by uvicorn)."""
        yield
