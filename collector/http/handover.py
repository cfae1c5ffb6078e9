"""Where a connection goes whose request is not POST /data: to the page's stream, or to uvicorn."""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from collector.http import stream
from collector.http.connections import Connections
from collector.http.head import Head
from collector.http.limits import Limits
from collector.http.origins import Origins
from collector.http.stream import HandedOver
from collector.live.hub import Hub

# The body has been taken off, and the connection ends with the response.
_NOT_PASSED_ON = {
    b"connection", b"content-length", b"expect", b"transfer-encoding", b"upgrade"
}  # fmt: skip


class _OneRequest(HttpToolsProtocol):
    """uvicorn's protocol, on a connection that expires: when the client does not read, earlier."""

    def __init__(self, connection: HandedOver, limits: Limits, **uvicorns: Any) -> None:  # noqa: ANN401
        super().__init__(**uvicorns)
        self._connection = connection
        self._unread_s = limits.unread_s
        self._ends_at = connection.deadline = self.loop.time() + limits.request_s

    def pause_writing(self) -> None:
        super().pause_writing()
        self._connection.deadline = min(self._ends_at, self.loop.time() + self._unread_s)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._connection.deadline = self._ends_at

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._connection.connection_lost(exc)


class HandOver:
    """Hands connections over; only then FastAPI, served by uvicorn, has to do with a request."""

    def __init__(self, hub: Hub, connections: Connections, origins: Origins) -> None:
        self._hub = hub
        self._connections = connections
        self._origins = origins

    def __call__(
        self,
        head: Head,
        transport: asyncio.Transport,
        connection: HandedOver,
        **uvicorns: Any,  # noqa: ANN401  what uvicorn makes its protocols with
    ) -> None:
        """Let somebody else answer the request and close the connection.

        Raises Problem if nobody will.
        """
        if head.path == stream.PATH and head.method in ("GET", "HEAD"):
            self._stream(head, transport, connection)
            return
        protocol = _OneRequest(connection, self._connections.limits, **uvicorns)
        transport.set_protocol(protocol)
        protocol.connection_made(transport)
        protocol.data_received(_request(head))
        transport.resume_reading()  # to notice when the client goes away

    def _stream(self, head: Head, transport: asyncio.Transport, connection: HandedOver) -> None:
        fields = self._connections.date
        if head.site:
            fields += self._origins.fields(head.site)
        limits = self._connections.limits
        if head.method == "HEAD":
            connection.deadline = asyncio.get_running_loop().time() + limits.linger_s
            transport.write(stream.head(fields))
            transport.close()
            return
        stream.check(self._hub)
        stream.Stream(self._hub, transport, connection, limits.unread_s).begin(fields)


def _request(head: Head) -> bytes:
    fields = [field for field in head.headers if field[0] not in _NOT_PASSED_ON]
    lines = [b"%b %b HTTP/1.1" % (head.method.encode(), head.url)]
    lines += [b"%b: %b" % field for field in fields]
    return b"\r\n".join([*lines, b"connection: close", b"", b""])
