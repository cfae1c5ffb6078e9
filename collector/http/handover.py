"""Hands a request that is not POST /data over to uvicorn, which serves the FastAPI application."""

import asyncio
from collections.abc import Callable
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from collector.http.head import Head

# The body has been taken off, and the connection ends with the response.
_NOT_PASSED_ON = {
    b"connection", b"content-length", b"expect", b"transfer-encoding", b"upgrade"
}  # fmt: skip


class _OneRequest(HttpToolsProtocol):
    """uvicorn's protocol, which also tells when the connection is lost."""

    def __init__(self, on_lost: Callable[[Exception | None], None], **uvicorns: Any) -> None:  # noqa: ANN401
        super().__init__(**uvicorns)
        self._on_lost = on_lost

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._on_lost(exc)


def hand_over(
    head: Head,
    transport: asyncio.Transport,
    on_lost: Callable[[Exception | None], None],
    **uvicorns: Any,  # noqa: ANN401  what uvicorn makes its protocols with
) -> None:
    """Let uvicorn answer the request and close the connection; `on_lost` is told the end."""
    protocol = _OneRequest(on_lost, **uvicorns)
    transport.set_protocol(protocol)
    protocol.connection_made(transport)
    protocol.data_received(_request(head))
    transport.resume_reading()  # to notice when the client goes away


def _request(head: Head) -> bytes:
    fields = [field for field in head.headers if field[0] not in _NOT_PASSED_ON]
    lines = [b"%b %b HTTP/1.1" % (head.method.encode(), head.url)]
    lines += [b"%b: %b" % field for field in fields]
    return b"\r\n".join([*lines, b"connection: close", b"", b""])
