"""The HTTP server: connections on a listening socket, a sweep for their deadlines, an end."""

import asyncio
import socket
from collections.abc import Sequence
from functools import partial

from collector.http.app import App
from collector.http.connection import Connection
from collector.http.connections import Connections
from collector.http.data import DataEndpoint
from collector.http.limits import Limits
from collector.lane import Lane

_BACKLOG = 2048


class Server:
    """Serves the HTTP interface of some lanes until `stop`."""

    def __init__(self, endpoint: DataEndpoint, lanes: Sequence[Lane], limits: Limits) -> None:
        self._connections = Connections(limits)
        self._connect = partial(Connection, endpoint, App(lanes), self._connections)
        self._server: asyncio.Server | None = None

    async def run_on(self, listener: socket.socket) -> None:
        """Answer requests, for ever; `stop` ends it."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._connect, sock=listener, backlog=_BACKLOG)
        await self._connections.sweep()

    async def stop(self) -> None:
        """Accept no more connections, and answer the requests under way for up to 3 s more."""
        if self._server is not None:
            self._server.close()
            await self._connections.drain()
