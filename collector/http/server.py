"""The HTTP server: uvicorn's, with a protocol of our own for POST /data, and its limits."""

import asyncio
import contextlib
import socket
from collections.abc import Iterator, Sequence
from functools import partial
from typing import cast

import uvicorn

from collector.http.app import App
from collector.http.certificate import Certificate
from collector.http.connection import Connection
from collector.http.connections import Connections
from collector.http.data import DataEndpoint
from collector.http.door import Door
from collector.http.handover import HandOver
from collector.http.limits import Limits
from collector.http.metrics import Metrics
from collector.http.readiness import Readiness
from collector.lane import Lane
from collector.live.live import Live
from collector.peers import Peers


class Server(uvicorn.Server):
    """Serves HTTP for a worker with these lanes, until `stop`."""

    def __init__(  # noqa: PLR0913  the parts of a server
        self,
        endpoint: DataEndpoint,
        lanes: Sequence[Lane],
        live: Live,
        limits: Limits,
        *,
        peers: Peers,
        certificate: Certificate | None = None,
    ) -> None:
        self.connections = Connections(limits)
        hand_over = HandOver(live.hub, self.connections, endpoint.origins)
        plain = partial(Connection, endpoint, self.connections, hand_over)
        protocol = partial(Door, certificate, self.connections, plain) if certificate else plain
        super().__init__(
            uvicorn.Config(
                App(
                    Readiness(lanes, peers),
                    Metrics(lanes, self.connections, peers),
                    live.history,
                    endpoint.origins,
                ),
                http=cast("type[asyncio.Protocol]", protocol),
                access_log=False,
                log_config=None,
                lifespan="off",
                ws="none",
                server_header=False,
                timeout_graceful_shutdown=int(limits.shutdown_s),
            )
        )
        self._ended = asyncio.Event()

    async def run_on(self, listeners: Sequence[socket.socket]) -> None:
        """Answer requests until `stop`, and the ones under way for up to 3 s more.

        Closes the listening sockets.
        """
        sweep = asyncio.create_task(self.connections.sweep(), name="sweep")
        try:
            await self.serve(list(listeners))
            await self.connections.drain()
        finally:
            sweep.cancel()
            self._ended.set()

    async def stop(self) -> None:
        """Accept no more connections; return when the last request has been answered."""
        self.should_exit = True
        await self._ended.wait()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals to telemetry.process (called by uvicorn)."""
        yield
