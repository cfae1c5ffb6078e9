"""What a worker has of the process that started it."""

import asyncio
import contextlib
import socket


def address(name: str, number: int) -> str:
    """Return where a worker of those with a common name answers the others.

    That is an abstract address, not a file: nobody can remove it, no path is too long, and nothing
    is left of it when the parent is killed.
    """
    return f"\0collector-{name}-{number}"


def listener(name: str, number: int) -> socket.socket:
    """Return a socket that is bound to this address, and does not listen yet."""
    bound = socket.socket(socket.AF_UNIX)
    bound.bind(address(name, number))
    return bound


class Parent:
    """A worker's end of a connection to its parent, and what else it has from there.

    The connection ends with the parent, however that ends. `listener` is where the worker answers
    the others; the parent has it too, so that nobody else can take the address meanwhile.
    """

    def __init__(
        self, connection: socket.socket, listener: socket.socket, name: str, number: int
    ) -> None:
        connection.setblocking(False)
        self._connection = connection
        self.listener = listener
        self.name = name
        self.number = number

    def tell_ready(self) -> None:
        """Tell that nothing is wrong with the settings."""
        with contextlib.suppress(OSError):  # then it is gone
            self._connection.send(b"\n")

    async def gone(self) -> None:
        """Return when the parent has ended."""
        with contextlib.suppress(OSError):
            await asyncio.get_running_loop().sock_recv(self._connection, 1)
