"""A proxy before the broker that closes the connection at some topics, as some brokers do."""

import contextlib
import socket
import threading
from collections.abc import Callable
from typing import BinaryIO, Self

PUBLISH = 0x30


class ClosingProxy:
    """Closes a connection at each PUBLISH on a topic for which `refuses` returns true."""

    def __init__(self, broker_port: int, refuses: Callable[[str], bool]) -> None:
        self.refuses = refuses
        self.closed_at: list[str] = []
        """The topics at which connections were closed."""
        self._broker_port = broker_port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        address = ("127.0.0.1", self._broker_port)
        with client, contextlib.suppress(OSError), socket.create_connection(address) as broker:
            answers = threading.Thread(target=_copy, args=(broker, client), daemon=True)
            answers.start()
            with client.makefile("rb") as packets:
                self._forward(packets, broker)
            for end in (broker, client):
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)
            answers.join()

    def _forward(self, packets: BinaryIO, broker: socket.socket) -> None:
        while head := packets.read(1):
            length = shift = 0
            while True:
                digit = packets.read(1)
                head += digit
                length |= (digit[0] & 0x7F) << shift
                shift += 7
                if digit[0] < 1 << 7:
                    break
            body = packets.read(length)
            if head[0] & 0xF0 == PUBLISH:
                topic = body[2 : 2 + int.from_bytes(body[:2], "big")].decode()
                if self.refuses(topic):
                    self.closed_at.append(topic)
                    return
            broker.sendall(head + body)


def _copy(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(1 << 16):
            target.sendall(data)
        target.shutdown(socket.SHUT_RDWR)
