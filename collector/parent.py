"""What a worker has of the process that started it."""

import asyncio
import contextlib
import socket
from pathlib import Path


class Parent:
    """Its end of a connection to the parent, the directory that all share, and its number.

    The connection ends with the parent, however that ends.
    """

    def __init__(self, connection: socket.socket, runtime: Path, number: int) -> None:
        connection.setblocking(False)
        self._connection = connection
        self.runtime = runtime
        self.number = number

    def tell_ready(self) -> None:
        """Tell that nothing is wrong with the settings."""
        with contextlib.suppress(OSError):  # then it is gone
            self._connection.send(b"\n")

    async def gone(self) -> None:
        """Return when the parent has ended."""
        with contextlib.suppress(OSError):
            await asyncio.get_running_loop().sock_recv(self._connection, 1)
