"""One HTTP connection of a device, exact about what became of a request."""

import asyncio
from collections.abc import Mapping

ANSWER_TIMEOUT_S = 20.0


class UnsentError(Exception):
    """Nothing of the request left: nobody listens."""


class CutOffError(Exception):
    """Something of the request left and no status line came back: its fate is unknown."""


class Wire:
    """A keep-alive connection to 127.0.0.1, made when needed."""

    def __init__(self, port: int) -> None:
        """Nothing is opened yet."""
        self.port = port
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def post(self, path: str, body: bytes, headers: Mapping[str, str]) -> int:
        """Return the status of the answer; UnsentError or CutOffError where there is none."""
        reader, writer = await self._open()
        lines = [
            f"POST {path} HTTP/1.1",
            f"Host: 127.0.0.1:{self.port}",
            f"Content-Length: {len(body)}",
            *(f"{name}: {value}" for name, value in headers.items()),
        ]
        try:
            async with asyncio.timeout(ANSWER_TIMEOUT_S):
                writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
                await writer.drain()
                status = await self._answer(reader)
        except (OSError, EOFError, ValueError, TimeoutError) as error:
            self.close()
            raise CutOffError from error
        except BaseException:
            self.close()
            raise
        return status

    async def _open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        # An end of the connection that has arrived already must not cost a request.
        if self._reader and self._writer and not self._reader.at_eof():
            return self._reader, self._writer
        self.close()
        try:
            async with asyncio.timeout(ANSWER_TIMEOUT_S):
                self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self.port)
        except (OSError, TimeoutError) as error:
            raise UnsentError from error
        return self._reader, self._writer

    async def _answer(self, reader: asyncio.StreamReader) -> int:
        head = await reader.readuntil(b"\r\n\r\n")
        status_line, *fields = head.decode("latin-1").split("\r\n")
        status = int(status_line.split(" ", 2)[1])
        lengths = [
            int(field.partition(":")[2])
            for field in fields
            if field.lower().startswith("content-length:")
        ]
        # From here on the device has its answer, whatever happens to the rest of it.
        try:
            await reader.readexactly(lengths[0])
        except (OSError, EOFError, IndexError):
            self.close()
        if any(field.lower() == "connection: close" for field in fields):
            self.close()
        return status

    def close(self) -> None:
        """End the connection."""
        if self._writer:
            self._writer.close()
        self._reader = self._writer = None
