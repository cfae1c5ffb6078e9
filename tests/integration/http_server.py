"""A collector's HTTP server in this process, with limits of one's own, on real sockets."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import uvloop

from collector.http.data import DataEndpoint
from collector.http.limits import Limits
from collector.http.server import Server
from collector.lane import Lane
from collector.live.live import Live
from collector.outbox.claim import opened
from collector.peers import Peers
from collector.settings import Settings
from tests.identities import OPEN

LONGEST_S = 20
SHORT = Limits(100, 100, 0.3, 0.3, request_s=0.6, idle_s=0.3, unread_s=0.3, sweep_s=0.05)
PATIENT = SHORT._replace(head_s=60, body_s=60, request_s=60, idle_s=60, unread_s=60)

Client = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Dial = Callable[[], Awaitable[Client]]


@contextlib.asynccontextmanager
async def serving(directory: Path, limits: Limits) -> AsyncIterator[Dial]:
    """Serve without a broker; yields a function that connects."""
    settings = Settings(outbox_path=str(directory / "outbox.db"), max_body_bytes=1 << 20)
    lane = Lane(opened(Path(settings.outbox_path), settings), settings)
    server = Server(
        DataEndpoint(lane, OPEN, settings), [lane], Live.of(settings), limits, peers=Peers()
    )
    listener = socket.create_server(("127.0.0.1", 0))
    running = asyncio.create_task(server.run_on([listener]))
    writers: list[asyncio.StreamWriter] = []

    async def dial() -> Client:
        reader, writer = await asyncio.open_connection(*listener.getsockname(), limit=1 << 24)
        writers.append(writer)
        return reader, writer

    try:
        yield dial
    finally:
        try:
            await server.stop()
        finally:  # also when time is up: the loop waits at its end for what is open
            running.cancel()
            for writer in writers:
                writer.transport.abort()
            lane.outbox.close()


def serve(directory: Path, limits: Limits, scenario: Callable[[Dial], Awaitable[None]]) -> None:
    async def run() -> None:
        async with asyncio.timeout(LONGEST_S), serving(directory, limits) as dial:
            await scenario(dial)

    uvloop.run(run())


async def to_the_end(reader: asyncio.StreamReader) -> bytes:
    """Return all that comes until the server closes the connection."""
    received = b""
    with contextlib.suppress(ConnectionError):
        while piece := await reader.read(1 << 16):
            received += piece
    return received
