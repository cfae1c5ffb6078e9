"""GET /metrics, on a port of its own."""

import asyncio
import contextlib
import socket
from collections.abc import Sequence
from http import HTTPStatus

from telemetry.exposition import Exposition, answer

_MAX_CONNECTIONS = 16
_MAX_HEAD_BYTES = 8192
# For a connection, which is for one request.
_PATIENCE_S = 5.0
# Between two answers: who asks again and again takes little of the bridge's time.
_PAUSE_S = 0.05


class MetricsServer:
    """Answers one request at a time; connections beyond 16 are closed at once."""

    def __init__(self, exposition: Exposition) -> None:
        self._exposition = exposition
        self._open = 0
        self._turn = asyncio.Lock()

    async def run(self, listeners: Sequence[socket.socket]) -> None:
        """Serve for ever."""
        async with contextlib.AsyncExitStack() as servers:
            for listener in listeners:
                server = await asyncio.start_server(
                    self._connected, sock=listener, limit=_MAX_HEAD_BYTES
                )
                servers.callback(server.close)
            await asyncio.Event().wait()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open += 1
        try:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                if self._open <= _MAX_CONNECTIONS:
                    async with asyncio.timeout(_PATIENCE_S):
                        await self._answer(reader, writer)
        finally:
            self._open -= 1
            writer.transport.abort()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.LimitOverrunError:
            content = _plain(f"the head is larger than {_MAX_HEAD_BYTES} bytes")
            response = _response(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, *content)
        else:
            async with self._turn:
                response = self._response_to(head)
                await asyncio.sleep(_PAUSE_S)
        writer.write(response)
        writer.close()
        await writer.wait_closed()

    def _response_to(self, head: bytes) -> bytes:
        line, *fields = head.decode("latin-1").split("\r\n")
        method, _, rest = line.partition(" ")
        path = rest.partition(" ")[0].partition("?")[0]
        if (method, path) != ("GET", "/metrics"):
            return _response(HTTPStatus.NOT_FOUND, *_plain("there is nothing but GET /metrics"))
        pairs = (field.partition(":") for field in fields)
        accept = [value.strip() for name, _, value in pairs if name.lower() == "accept"]
        return _response(HTTPStatus.OK, *answer(self._exposition, ",".join(accept)))


def _plain(detail: str) -> tuple[str, bytes]:
    return "text/plain; charset=utf-8", f"{detail}\n".encode()


def _response(status: HTTPStatus, media_type: str, content: bytes) -> bytes:
    head = (
        f"HTTP/1.1 {status.value} {status.phrase}",
        f"Content-Type: {media_type}",
        f"Content-Length: {len(content)}",
        "Connection: close",
        "\r\n",
    )
    return "\r\n".join(head).encode() + content
