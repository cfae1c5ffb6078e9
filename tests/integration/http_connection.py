"""A connection to a collector over a raw socket."""

import socket
from collections.abc import Callable


class Connection:
    """A connection to the collector, read one response at a time."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=30)
        self.responses = self.socket.makefile("rb")

    def request(self, method: str, path: str, body: bytes = b"", **headers: str) -> None:
        self.socket.sendall(head(method, path, len(body), **headers) + body)

    def response(self) -> tuple[int, bytes]:
        """Return status and body of the next response."""
        status, fields = self.head()
        return status, self.responses.read(int(fields.get("content-length", 0)))

    def head(self) -> tuple[int, dict[str, str]]:
        """Return status and header fields of the next response."""
        status = int(self.responses.readline().split()[1])
        fields = {}
        while line := self.responses.readline().decode().strip():
            name, _, text = line.partition(":")
            fields[name.lower()] = text.strip()
        return status, fields

    def close(self) -> None:
        self.responses.close()
        self.socket.close()


def head(method: str, path: str, length: int, **headers: str) -> bytes:
    """Return the head of a request whose body has `length` bytes."""
    fields = {"Host": "collector", "Content-Type": "application/json", **headers}
    fields["Content-Length"] = str(length)
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {text}" for name, text in fields.items())]
    return "\r\n".join([*lines, "", ""]).encode()


Dial = Callable[[], Connection]
