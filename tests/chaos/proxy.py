"""A TCP proxy that injects network faults, modelled on Toxiproxy's toxics.

https://github.com/Shopify/toxiproxy#toxics: `down`, `timeout`, `latency`, `slicer`, `limit_data`,
`reset_peer`, each for one direction or both.
"""

import asyncio
import contextlib
import random
import socket
import struct
from dataclasses import dataclass, field
from enum import Enum
from typing import Literal

Direction = Literal["up", "down"]
BOTH: tuple[Direction, ...] = ("up", "down")
CHUNK = 65536
RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class Kind(Enum):
    """What a toxic does to the bytes of one direction."""

    CLEAN = "clean"
    STALL = "stall"  # hold them back until healed, as TCP does during a network outage
    SWALLOW = "swallow"  # read and drop them; healing resets the connection
    LATENCY = "latency"  # delay each chunk by `delay_s` to 1.5 times `delay_s`
    SLICE = "slice"  # pass them in pieces of up to `size` bytes, `delay_s` apart
    LIMIT = "limit"  # reset the connection after `size` more bytes, in the middle of a message


@dataclass(frozen=True)
class Toxic:
    kind: Kind = Kind.CLEAN
    delay_s: float = 0.0
    size: int = 0


CLEAN = Toxic()


@dataclass(eq=False)
class Link:
    """A client's connection and the upstream connection that belongs to it."""

    client: asyncio.StreamWriter
    server: asyncio.StreamWriter
    passed: dict[Direction, int] = field(default_factory=lambda: {"up": 0, "down": 0})
    before: dict[Direction, int] = field(default_factory=lambda: {"up": 0, "down": 0})
    """`passed` at the time when the toxic was applied."""

    def reset(self) -> None:
        """Close both with a RST."""
        for writer in (self.client, self.server):
            raw = writer.get_extra_info("socket")
            # A socket that is already closed needs no RST.
            with contextlib.suppress(OSError):
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
            writer.transport.abort()


class Proxy:
    """Listens on 127.0.0.1 and forwards to port `upstream`. Any thread may set its faults."""

    def __init__(self, *, port: int, upstream: int) -> None:
        self.port = port
        self.upstream = upstream
        self._down = False
        self._toxics: dict[Direction, Toxic] = {"up": CLEAN, "down": CLEAN}
        self._links: set[Link] = set()
        self._handlers: set[asyncio.Task[None]] = set()
        self._random = random.Random(port)

    async def start(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._changed = asyncio.Event()
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)

    async def close(self) -> None:
        """Reset all connections and return when their sockets are closed."""
        self._server.close()
        self._reset_all()
        for handler in self._handlers.copy():
            handler.cancel()
        await asyncio.gather(*self._handlers, return_exceptions=True)

    def passed(self, direction: Direction) -> int:
        """Return how many bytes have passed through the connections that are open now."""
        return sum(link.passed[direction] for link in self._links.copy())

    @property
    def connections(self) -> int:
        """How many connections are open."""
        return len(self._links)

    def apply(self, toxic: Toxic, directions: tuple[Direction, ...] = BOTH) -> None:
        self._loop.call_soon_threadsafe(self._set, toxic, directions)

    def cut(self) -> None:
        """Reset all connections, and each new one, until healed."""
        self._loop.call_soon_threadsafe(self._cut)

    def reset(self) -> None:
        """Reset all connections once; new ones are accepted."""
        self._loop.call_soon_threadsafe(self._reset_all)

    def heal(self) -> None:
        self._loop.call_soon_threadsafe(self._heal)

    def _cut(self) -> None:
        self._down = True
        self._reset_all()

    def _heal(self) -> None:
        self._down = False
        # The swallowed bytes are missing from the stream, so it must not continue.
        if any(toxic.kind is Kind.SWALLOW for toxic in self._toxics.values()):
            self._reset_all()
        self._set(CLEAN, BOTH)

    def _set(self, toxic: Toxic, directions: tuple[Direction, ...]) -> None:
        for link in self._links:
            link.before = link.passed.copy()
        for direction in directions:
            self._toxics[direction] = toxic
        self._changed.set()
        self._changed = asyncio.Event()

    def _reset_all(self) -> None:
        for link in list(self._links):
            link.reset()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        handler = self._loop.create_task(self._handle(reader, writer))
        self._handlers.add(handler)
        handler.add_done_callback(self._handlers.discard)

    async def _handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            if not self._down:
                await self._forward(reader, writer)
        finally:
            writer.transport.abort()

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            from_server, to_server = await asyncio.open_connection("127.0.0.1", self.upstream)
        except OSError:
            return
        link = Link(writer, to_server)
        self._links.add(link)
        try:
            await asyncio.gather(
                self._pump("up", link, reader, to_server),
                self._pump("down", link, from_server, writer),
            )
            for end in (writer, to_server):
                end.close()
                with contextlib.suppress(OSError):
                    await end.wait_closed()
        finally:
            self._links.discard(link)
            link.reset()  # if the proxy is closing

    async def _pump(
        self,
        direction: Direction,
        link: Link,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        try:
            while chunk := await reader.read(CHUNK):
                await self._pass(direction, link, chunk, writer)
            writer.write_eof()
        except OSError:
            link.reset()  # one side closed, so the other must too

    async def _pass(
        self,
        direction: Direction,
        link: Link,
        chunk: bytes,
        writer: asyncio.StreamWriter,
    ) -> None:
        while (toxic := self._toxics[direction]).kind is Kind.STALL:
            await self._changed.wait()
        match toxic.kind:
            case Kind.SWALLOW:
                return
            case Kind.LATENCY:
                await asyncio.sleep(toxic.delay_s * self._random.uniform(1, 1.5))
            case Kind.SLICE:
                await self._slice(toxic, chunk, writer)
                return
            case Kind.LIMIT:
                left = toxic.size - (link.passed[direction] - link.before[direction])
                if len(chunk) > left:
                    writer.write(chunk[: max(left, 0)])
                    link.reset()
                    return
            case _:
                pass
        link.passed[direction] += len(chunk)
        writer.write(chunk)
        await writer.drain()

    async def _slice(self, toxic: Toxic, chunk: bytes, writer: asyncio.StreamWriter) -> None:
        at = 0
        while at < len(chunk):
            end = at + self._random.randint(1, toxic.size)
            writer.write(chunk[at:end])
            await writer.drain()
            await asyncio.sleep(toxic.delay_s)
            at = end
