"""A scripted broker, for behaviour that no real broker can be made to show."""

import asyncio
import contextlib
import struct
from collections.abc import AsyncIterator


class Script:
    """Records packets shorter than 128 bytes; reports a session from the second connection on."""

    def __init__(self) -> None:
        self.port = 0
        self.suback = 1
        self.packets: list[tuple[int, bytes]] = []
        self.writers: list[asyncio.StreamWriter] = []

    @contextlib.asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield
        finally:
            server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writers.append(writer)
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                command, length = await reader.readexactly(2)
                self.packets.append((command, await reader.readexactly(length)))
                if command == 0x10:
                    writer.write(bytes((0x20, 2, len(self.writers) > 1, 0)))
                elif command == 0x82:
                    writer.write(bytes((0x90, 3, *self.packets[-1][1][:2], self.suback)))
        writer.close()

    def publishes(self) -> list[tuple[int, int, bytes]]:
        """Return (first byte, packet id, payload) of each PUBLISH on topic `t`."""
        return [
            (command, struct.unpack("!H", body[3:5])[0], body[5:])
            for command, body in self.packets
            if command & 0xF0 == 0x30
        ]
