"""An HTTP connection of a device that tells whether a request may have been processed."""

import asyncio
from collections.abc import Mapping

RESPONSE_TIMEOUT_S = 20.0


class NotSentError(Exception):
    """Nothing of the request was sent: no connection could be made."""


class NoResponseError(Exception):
    """The request was sent, at least in part, but no response arrived: it may be accepted."""


class HttpConnection:
    """A keep-alive connection to 127.0.0.1, opened on demand."""

    def __init__(self, port: int) -> None:
        self.port = port
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def post(self, path: str, body: bytes, headers: Mapping[str, str]) -> int:
        """Return the status of the response. Raises NotSentError or NoResponseError."""
        reader, writer = await self._open()
        lines = [
            f"POST {path} HTTP/1.1",
            f"Host: 127.0.0.1:{self.port}",
            f"Content-Length: {len(body)}",
            *(f"{name}: {value}" for name, value in headers.items()),
        ]
        try:
            async with asyncio.timeout(RESPONSE_TIMEOUT_S):
                writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
                await writer.drain()
                status = await self._read_response(reader)
        except (OSError, EOFError, ValueError, TimeoutError) as error:
            self.close()
            raise NoResponseError from error
        except BaseException:
            self.close()
            raise
        return status

    async def _open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        # Nothing may be sent on a connection that the server has already closed.
        if self._reader and self._writer and not self._reader.at_eof():
            return self._reader, self._writer
        self.close()
        try:
            async with asyncio.timeout(RESPONSE_TIMEOUT_S):
                self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self.port)
        except (OSError, TimeoutError) as error:
            raise NotSentError from error
        return self._reader, self._writer

    async def _read_response(self, reader: asyncio.StreamReader) -> int:
        head = await reader.readuntil(b"\r\n\r\n")
        status_line, *fields = head.decode("latin-1").split("\r\n")
        status = int(status_line.split(" ", 2)[1])
        lengths = [
            int(field.partition(":")[2])
            for field in fields
            if field.lower().startswith("content-length:")
        ]
        # The status line has arrived; an incomplete body does not change the outcome.
        try:
            await reader.readexactly(lengths[0])
        except (OSError, EOFError, IndexError):
            self.close()
        if any(field.lower() == "connection: close" for field in fields):
            self.close()
        return status

    def close(self) -> None:
        if self._writer:
            self._writer.close()
        self._reader = self._writer = None
