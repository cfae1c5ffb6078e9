"""A connection of the asyncio loop with the interface of the socket that paho-mqtt expects."""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any, Self, cast

from telemetry.tls import Tls

_SHUTDOWN_S = 1.0


def address(host: str, port: int) -> str:
    """Return the broker's address as people read it; a path is that of a Unix socket."""
    return host if host.startswith("/") else f"{host}:{port}"


class BufferedSocket(asyncio.Protocol):
    """Writes what was sent once per iteration of the loop: one system call for many packets.

    Incoming data goes to `on_data`. When the peer has closed the connection, `on_eof` is called and
    `recv` returns b"", as a socket does at its end. `gone` resolves when the connection is closed
    on both sides.
    """

    def __init__(self, on_data: Callable[[bytes], None], on_eof: Callable[[], None]) -> None:
        self.rest_s = 0.0
        """For how long nothing is read after each read: fewer reads then take more at once."""
        self._loop = asyncio.get_running_loop()
        self._on_data = on_data
        self._on_eof = on_eof
        self._transport: asyncio.Transport
        self._unsent: list[bytes | bytearray] = []
        self._incoming = b""
        self._at_end = False
        self._closed = False
        self.gone: asyncio.Future[None] = self._loop.create_future()

    @classmethod
    async def open(
        cls,
        host: str,
        port: int,
        tls: Tls | None,
        on_data: Callable[[bytes], None],
        on_eof: Callable[[], None],
    ) -> Self:
        """Connect, to a Unix socket if `host` is a path; raises OSError."""
        loop = asyncio.get_running_loop()
        if host.startswith("/"):
            _, local = await loop.create_unix_connection(lambda: cls(on_data, on_eof), host)
            return local
        options: dict[str, Any] = {}
        if tls:
            options = {"ssl": tls.context(), "server_hostname": tls.name}
            options["ssl_shutdown_timeout"] = _SHUTDOWN_S
        _, connection = await loop.create_connection(
            lambda: cls(on_data, on_eof), host, port, **options
        )
        return connection

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        if self._closed:
            return
        self._on_data(data)
        if self.rest_s and not self._transport.is_closing():
            self._transport.pause_reading()
            self._loop.call_later(self.rest_s, self._end_rest)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  asyncio's signature
        self.gone.set_result(None)
        if not self._closed:
            self._at_end = True
            self._on_eof()

    def send(self, packet: bytes | bytearray) -> int:
        """Queue all of `packet` for the next write; return its length."""
        if not self._unsent:
            self._loop.call_soon(self.flush)
        self._unsent.append(packet)
        return len(packet)

    def flush(self) -> None:
        """Write the queued packets to the transport."""
        if self._unsent and not self._closed:
            self._transport.write(b"".join(self._unsent))
        self._unsent.clear()

    def offer(self, packet: bytes) -> None:
        """Let `recv` return these bytes."""
        self._incoming = packet

    def recv(self, size: int) -> bytes:
        """Return up to `size` of the bytes offered; BlockingIOError when there are none."""
        if not self._incoming and not self._at_end:
            raise BlockingIOError
        taken, self._incoming = self._incoming[:size], self._incoming[size:]
        return taken

    def pause(self) -> None:
        """Stop reading: the kernel's buffers fill up and then the peer has to wait."""
        if not self._closed:
            self._transport.pause_reading()

    def resume(self) -> None:
        """Read again."""
        if not self._closed:
            self._transport.resume_reading()

    def _end_rest(self) -> None:
        if not self._transport.is_closing():  # also after `close`, to see the peer's end
            self._transport.resume_reading()

    def close(self) -> None:
        """Shut down writing, and keep reading until the peer closes too; see `gone`.

        Closing at once would reset the connection if unread data had arrived, and the peer could
        lose the last packets.
        """
        self.flush()
        self._closed = True
        if not self._transport.can_write_eof():  # TLS says that this is the end, and waits
            self._transport.close()
        elif not self._transport.is_closing():
            with contextlib.suppress(OSError):  # the peer closed first
                self._transport.write_eof()

    def abort(self) -> None:
        """Close at once and drop what is not sent yet."""
        self._closed = True
        self._transport.abort()

    def fileno(self) -> int:
        return cast("int", self._transport.get_extra_info("socket").fileno())

    def setblocking(self, flag: bool) -> None:
        """Do nothing: a connection of the loop never blocks."""
