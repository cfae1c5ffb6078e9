"""A server that answers each request with any bytes."""

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from threading import Thread

Answer = Callable[[socket.socket], None]
CREATED = b"HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\nok"


def sends(data: bytes) -> Answer:
    """Return an answer that is `data`, after which the connection stays open."""
    return lambda connection: connection.sendall(data)


def repeats(start: bytes, part: bytes) -> Answer:
    """Return an answer that begins and never ends."""

    def answer(connection: socket.socket) -> None:
        connection.sendall(start)
        while True:
            connection.sendall(part)

    return answer


class RawServer:
    """Answers each connection's requests in turn; closes it when `answer` raises OSError.

    `connections` counts those that were opened; `close_idle` closes the newest one.
    """

    def __init__(self, answer: Answer, family: socket.AddressFamily) -> None:
        self.answer = answer
        self.requests: list[bytes] = []
        self.connections = 0
        self._newest: socket.socket
        host = "::1" if family is socket.AF_INET6 else "127.0.0.1"
        self.listener = socket.create_server((host, 0), family=family)
        self.port: int = self.listener.getsockname()[1]

    def serve(self) -> None:
        """Serve until the listener is shut down."""
        with suppress(OSError):
            while True:
                self._newest, _ = self.listener.accept()
                self.connections += 1
                Thread(target=self._serve, args=(self._newest,), daemon=True).start()

    def close_idle(self) -> None:
        self._newest.shutdown(socket.SHUT_RDWR)

    def _serve(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):
            while request := connection.recv(1 << 16):
                while not request.endswith((b"}", b"}]")):
                    request += connection.recv(1 << 16)
                self.requests.append(request)
                self.answer(connection)


@contextmanager
def raw_server(
    answer: Answer, family: socket.AddressFamily = socket.AF_INET
) -> Iterator[RawServer]:
    """Run a server for the body."""
    server = RawServer(answer, family)
    thread = Thread(target=server.serve)
    thread.start()
    try:
        yield server
    finally:
        server.listener.shutdown(socket.SHUT_RDWR)
        server.listener.close()
        thread.join()
