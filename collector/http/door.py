"""A new connection on a port with TLS, until it is known whether it speaks TLS."""

import asyncio
import math
from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from typing import Any, cast

from collector.access.address import address_of, is_loopback
from collector.http.certificate import Certificate
from collector.http.connections import Connections
from collector.http.problem import Problem
from collector.http.response import problem_response

_HANDSHAKE = b"\x16"  # the first byte of TLS, and none of HTTP's
_SHUTDOWN_S = 2.0
_PLAIN = Problem(HTTPStatus.BAD_REQUEST, "this port speaks HTTPS, and this was plain text")


class Door(asyncio.Protocol):
    """Lets a connection in after its TLS handshake; in plain text only one of this machine.

    What is let in gets a protocol of its own, made by `let_in`.
    """

    def __init__(
        self,
        certificate: Certificate,
        connections: Connections,
        let_in: Callable[..., asyncio.Protocol],
        **uvicorns: Any,  # noqa: ANN401
    ) -> None:
        self.deadline = math.inf
        self.held = 0
        self.address = ""
        self._certificate = certificate
        self._connections = connections
        self._protocol = partial(let_in, **uvicorns)
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport
        self._handshake: asyncio.Task[None] | None = None
        self._is_over = False  # refused, or gone
        self._is_gone = False  # no longer counted
        self._early = b""  # what arrived with the end of the handshake

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self.address = address_of(transport.get_extra_info("peername"))
        self.deadline = self._loop.time() + self._connections.limits.head_s
        if self._connections.add(self):  # nobody could read the problem
            self.abort()

    def data_received(self, data: bytes) -> None:
        if self._is_over:
            return
        if self._handshake:
            self._early += data
        elif data.startswith(_HANDSHAKE):
            self._handshake = self._loop.create_task(self._shake_hands())
            # After the callbacks with which that task begins.
            self._loop.call_soon(self._loop.call_soon, self._feed, data)
        elif is_loopback(self.address):
            self._let_in(self._transport, data)
        else:
            self._refuse()

    def connection_lost(self, _: Exception | None) -> None:
        self._leave()

    def expire(self) -> None:
        self.abort()

    def shutdown(self) -> None:
        self.abort()

    def hurry(self) -> None:
        self.abort()

    def abort(self) -> None:
        self._transport.abort()

    async def _shake_hands(self) -> None:
        try:
            transport = await self._loop.start_tls(
                self._transport,
                self,
                self._certificate.context,
                server_side=True,
                ssl_shutdown_timeout=_SHUTDOWN_S,
            )
        except OSError as error:  # the client may trust another authority, or come by mistake
            reason = getattr(error, "reason", None) or error.strerror or "the client has gone"
            self._connections.note("TLS handshakes failed: %s", f"{self.address}: {reason}")
            self.abort()
        # Not every event loop tells when the client is gone within the handshake.
        if self._transport.is_closing():
            self._leave()
        elif transport:
            self._let_in(transport, self._early)

    def _feed(self, data: bytes) -> None:
        """Give TLS what has arrived before it began."""
        protocol = cast("asyncio.BufferedProtocol", self._transport.get_protocol())
        while data and not self._transport.is_closing():
            room = memoryview(protocol.get_buffer(len(data)))
            size = min(len(room), len(data))
            room[:size] = data[:size]
            protocol.buffer_updated(size)
            data = data[size:]

    def _let_in(self, transport: asyncio.Transport, data: bytes) -> None:
        self._leave()
        protocol = self._protocol()
        transport.set_protocol(protocol)
        protocol.connection_made(transport)
        if data:
            protocol.data_received(data)

    def _leave(self) -> None:
        self._is_over = True
        if not self._is_gone:
            self._is_gone = True
            self._connections.discard(self)

    def _refuse(self) -> None:
        self._is_over = True
        response = problem_response(_PLAIN)
        fields = response.fields + b"connection: close\r\n\r\n"
        self._transport.write(response.line + self._connections.date + fields + response.content)
        self._transport.write_eof()
        self.deadline = self._loop.time() + self._connections.limits.linger_s
