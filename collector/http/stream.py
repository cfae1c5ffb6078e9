"""GET /live: a response that goes on for as long as its viewer reads it."""

import asyncio
import socket
from typing import Protocol

from collector.http.guard import ALWAYS, NOTHING
from collector.http.refusal import unavailable
from collector.live.hub import MAX_VIEWERS, Hub

PATH = "/live"
MEDIA_TYPE = "text/event-stream"
_FIELDS = {
    "Content-Type": MEDIA_TYPE,
    "Cache-Control": "no-store",
    "X-Accel-Buffering": "no",  # nginx would hold the events back
    "Content-Security-Policy": NOTHING,
    **ALWAYS,
    "Connection": "close",  # which is where the response ends
}
_HEAD = "".join(f"{name.lower()}: {text}\r\n" for name, text in _FIELDS.items()).encode()
_LINE = b"HTTP/1.1 200 OK\r\n"
_RETRY = b"retry: 1000\n\n"
# What the system keeps for a viewer that does not read.
_SEND_BUFFER_BYTES = 128 << 10


class HandedOver(Protocol):
    """The connection, which still counts and expires."""

    deadline: float

    def connection_lost(self, exc: Exception | None) -> None: ...


class Stream(asyncio.Protocol):
    """A viewer; it expires when it has read nothing for `unread_s`."""

    def __init__(
        self, hub: Hub, transport: asyncio.Transport, connection: HandedOver, unread_s: float
    ) -> None:
        self.writable = True
        self._hub = hub
        self._transport = transport
        self._connection = connection
        self._unread_s = unread_s
        self._loop = asyncio.get_running_loop()

    def begin(self, fields: bytes) -> None:
        """Respond with these header fields, and with all events from now on."""
        _bound(self._transport.get_extra_info("socket"), self._unread_s)
        self._transport.set_protocol(self)
        self.write(head(fields) + _RETRY)
        self._hub.enter(self)
        self._transport.resume_reading()  # to notice when the client goes away

    def write(self, data: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.write(data)
        self._connection.deadline = self._loop.time() + self._unread_s

    def pause_writing(self) -> None:
        self.writable = False

    def resume_writing(self) -> None:
        self.writable = True

    def connection_lost(self, exc: Exception | None) -> None:
        self._hub.leave(self)
        self._connection.connection_lost(exc)


def head(fields: bytes) -> bytes:
    """Return the head of the response, with these fields, each with its line end."""
    return _LINE + fields + _HEAD + b"\r\n"


def check(hub: Hub) -> None:
    """Raise Problem 503 if there are too many viewers."""
    if hub.is_full:
        raise unavailable(f"{MAX_VIEWERS} viewers have the page open")


def _bound(connection: socket.socket, seconds: float) -> None:
    """Let the system keep little for the client, and close when it is gone without a word."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER_BYTES)
    if hasattr(socket, "TCP_USER_TIMEOUT"):  # Linux
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(seconds * 1000))
