"""A TCP proxy that misbehaves on demand, after Toxiproxy's toxics.

https://github.com/Shopify/toxiproxy#toxics: `down`, `timeout`, `latency`, `slicer`, `limit_data`,
`reset_peer`, each for both directions or for one.
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
    STALL = "stall"  # hold them back; they go on after healing, as TCP would after a network gap
    SWALLOW = "swallow"  # read and drop them; the connection is reset at healing
    LATENCY = "latency"  # hold each chunk for `delay_s`, and up to half as much again
    SLICE = "slice"  # pass them in pieces of up to `size` bytes, `delay_s` apart
    LIMIT = "limit"  # reset the connection after `size` more bytes: torn in the middle of a message


@dataclass(frozen=True)
class Toxic:
    """A misbehaviour of one direction."""

    kind: Kind = Kind.CLEAN
    delay_s: float = 0.0
    size: int = 0


CLEAN = Toxic()


@dataclass(eq=False)
class Link:
    """One client's connection and the one made for it."""

    client: asyncio.StreamWriter
    server: asyncio.StreamWriter
    passed: dict[Direction, int] = field(default_factory=lambda: {"up": 0, "down": 0})
    before: dict[Direction, int] = field(default_factory=lambda: {"up": 0, "down": 0})
    """How much had passed when the toxic came."""

    def reset(self) -> None:
        """End both with a RST."""
        for writer in (self.client, self.server):
            raw = writer.get_extra_info("socket")
            # A socket that is already gone needs no RST.
            with contextlib.suppress(OSError):
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
            writer.transport.abort()


class Proxy:
    """Listens on 127.0.0.1 and passes to `upstream`; any thread may set its faults."""

    def __init__(self, name: str, *, port: int, upstream: int) -> None:
        """Stand between the two ports; `name` says between whom."""
        self.name = name
        self.port = port
        self.upstream = upstream
        self._down = False
        self._toxics: dict[Direction, Toxic] = {"up": CLEAN, "down": CLEAN}
        self._links: set[Link] = set()
        self._random = random.Random(port)

    async def start(self) -> None:
        """Listen."""
        self._loop = asyncio.get_running_loop()
        self._changed = asyncio.Event()
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)

    async def close(self) -> None:
        """Stop listening and end each connection."""
        self._server.close()
        self._reset_all()

    def passed(self, direction: Direction) -> int:
        """Return how many bytes the connections that are open now have carried that way."""
        return sum(link.passed[direction] for link in self._links.copy())

    def poison(self, toxic: Toxic, directions: tuple[Direction, ...] = BOTH) -> None:
        """Misbehave from now on in these directions."""
        self._loop.call_soon_threadsafe(self._set, toxic, directions)

    def cut(self) -> None:
        """Reset all connections, and each new one, until healed."""
        self._loop.call_soon_threadsafe(self._cut)

    def reset(self) -> None:
        """Reset all connections once; new ones are welcome."""
        self._loop.call_soon_threadsafe(self._reset_all)

    def heal(self) -> None:
        """Behave again."""
        self._loop.call_soon_threadsafe(self._heal)

    def _cut(self) -> None:
        self._down = True
        self._reset_all()

    def _heal(self) -> None:
        self._down = False
        # What was swallowed is missing from the stream: it must not go on as if nothing were.
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

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._down:
            writer.transport.abort()
            return
        try:
            from_server, to_server = await asyncio.open_connection("127.0.0.1", self.upstream)
        except OSError:
            writer.transport.abort()
            return
        link = Link(writer, to_server)
        self._links.add(link)
        try:
            await asyncio.gather(
                self._pump("up", link, reader, to_server),
                self._pump("down", link, from_server, writer),
            )
        except asyncio.CancelledError:
            link.reset()  # the proxy's own end
        finally:
            self._links.discard(link)
            writer.close()
            to_server.close()

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
            link.reset()  # one side broke off: so does the other

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
