"""A connection of the asyncio loop in the shape of the socket that paho-mqtt works on."""

import asyncio
import contextlib
from collections.abc import Callable
from typing import cast


class BufferedSocket(asyncio.Protocol):
    """Writes what was sent once per turn of the loop: one system call for many packets.

    Whatever arrives goes to `on_data`. Once the peer has gone, `on_lost` is called, and `recv`
    answers b"" as a socket does at its end. `gone` resolves when nothing more can happen.
    """

    def __init__(self, on_data: Callable[[bytes], None], on_lost: Callable[[], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._on_data = on_data
        self._on_lost = on_lost
        self._transport: asyncio.Transport
        self._unsent: list[bytes | bytearray] = []
        self._incoming = b""
        self._at_end = False
        self._closed = False
        self.gone: asyncio.Future[None] = self._loop.create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport (called by the loop)."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Pass on what arrived (called by the loop)."""
        if not self._closed:
            self._on_data(data)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  asyncio's signature
        """Tell of the end, unless it was us who closed (called by the loop)."""
        self.gone.set_result(None)
        if not self._closed:
            self._at_end = True
            self._on_lost()

    def send(self, packet: bytes | bytearray) -> int:
        """Take all of `packet` for the next write; return its length."""
        if not self._unsent:
            self._loop.call_soon(self.flush)
        self._unsent.append(packet)
        return len(packet)

    def flush(self) -> None:
        """Hand what was sent to the loop's transport."""
        if self._unsent and not self._closed:
            self._transport.write(b"".join(self._unsent))
        self._unsent.clear()

    def offer(self, packet: bytes) -> None:
        """Let `recv` hand out these bytes."""
        self._incoming = packet

    def recv(self, size: int) -> bytes:
        """Return up to `size` of the bytes offered; BlockingIOError when there are none."""
        if not self._incoming and not self._at_end:
            raise BlockingIOError
        taken, self._incoming = self._incoming[:size], self._incoming[size:]
        return taken

    def pause(self) -> None:
        """Leave what arrives to the kernel, and so to the peer."""
        if not self._closed:
            self._transport.pause_reading()

    def resume(self) -> None:
        """Take again what arrives."""
        if not self._closed:
            self._transport.resume_reading()

    def close(self) -> None:
        """End what is sent, and read on until the peer closes too; see `gone`.

        To close at once would reset the connection if something unread had arrived, and the peer
        would not see the last of what was sent.
        """
        self.flush()
        self._closed = True
        if not self._transport.is_closing():
            with contextlib.suppress(OSError):  # the peer was faster
                self._transport.write_eof()

    def abort(self) -> None:
        """Close at once, whatever is not sent yet."""
        self._closed = True
        self._transport.abort()

    def fileno(self) -> int:
        """Return the file descriptor."""
        return cast("int", self._transport.get_extra_info("socket").fileno())

    def setblocking(self, flag: bool) -> None:
        """Do nothing: the loop's connections never block."""
