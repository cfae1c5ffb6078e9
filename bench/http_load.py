"""A cheap HTTP client: requests are encoded in advance, one at a time per connection."""

import asyncio
import itertools
import math
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import cast

_END_OF_HEAD = b"\r\n\r\n"
_LENGTH = b"content-length: "
_CREATED = b"HTTP/1.1 201"


def post(body: bytes, content_type: str = "application/json") -> bytes:
    head = f"POST /data HTTP/1.1\r\nHost: bench\r\nContent-Type: {content_type}\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


class _Connection(asyncio.Protocol):
    def __init__(self, load: "Load") -> None:
        self._load = load
        self._received = b""
        self._since = 0.0
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def request(self, request: bytes, since: float) -> None:
        self._since = since
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, end, content = self._received.partition(_END_OF_HEAD)
        if not end:
            return
        length = head.lower().partition(_LENGTH)[2].partition(b"\r\n")[0]
        if len(content) >= int(length):
            self._received = b""
            self._load.on_answer(self, self._since, created=head.startswith(_CREATED))

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  asyncio's signature
        self._load.on_lost(self)

    def close(self) -> None:
        self._transport.abort()


class Load:
    """Connections to one server, and the `latencies` of their responses (s)."""

    def __init__(self, port: int) -> None:
        self.latencies: list[float] = []
        self.created = 0
        self.failed = 0
        self._port = port
        self._connections: list[_Connection] = []
        self._idle: deque[_Connection] = deque()
        self._waiting: deque[tuple[bytes, float]] = deque()
        self._asked = 0
        self._answered = asyncio.Event()
        self._closing = False

    async def connect(self, connections: int) -> None:
        for _ in range(connections):
            _, connection = await asyncio.get_running_loop().create_connection(
                lambda: _Connection(self), "127.0.0.1", self._port
            )
            self._connections.append(connection)
            self._idle.append(connection)

    async def closed_loop(self, requests: Sequence[bytes], count: int) -> None:
        """Send `count` requests, the next on each connection as soon as the last is answered."""
        for n in range(count):
            while not self._idle:
                self._answered.clear()
                await self._answered.wait()
            self._send(requests[n % len(requests)], time.perf_counter())
        await self.all_answered()

    async def open_loop(
        self, make: Callable[[int], bytes], rate: float, seconds: float = math.inf
    ) -> None:
        """Send `rate` requests per second, however long the responses take.

        `make` gets the Unix time (ns) at which the request is due; from then on its latency
        counts, so that waiting for a free connection is part of it.
        """
        # Not the loop's clock: its resolution is a millisecond, and it is constant within a turn.
        start, start_ns = time.perf_counter(), time.time_ns()
        for n in itertools.count():
            if n >= rate * seconds:
                break
            due = start + n / rate
            if (early := due - time.perf_counter()) > 0:
                await asyncio.sleep(early)
            self._send(make(start_ns + int(n / rate * 1e9)), due)
        await self.all_answered()

    async def all_answered(self) -> None:
        """Wait until no request is outstanding."""
        while self.created + self.failed < self._asked:
            self._answered.clear()
            await self._answered.wait()

    def close(self) -> None:
        self._closing = True
        for connection in self._connections:
            connection.close()

    def on_answer(self, connection: _Connection, since: float, *, created: bool) -> None:
        """Count a response and reuse its connection."""
        self.latencies.append(time.perf_counter() - since)
        if created:
            self.created += 1
        else:
            self.failed += 1
        if self._waiting:
            connection.request(*self._waiting.popleft())
        else:
            self._idle.append(connection)
        self._answered.set()

    def on_lost(self, connection: _Connection) -> None:
        """Count a connection that the server closed as a failed request."""
        if self._closing:
            return
        self.failed += 1
        if connection in self._idle:
            self._idle.remove(connection)
            self._asked += 1
        self._answered.set()

    def _send(self, request: bytes, since: float) -> None:
        self._asked += 1
        if self._idle:
            self._idle.popleft().request(request, since)
        else:
            self._waiting.append((request, since))
