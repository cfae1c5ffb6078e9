"""Publishes any bytes on any topic, as fast as the broker takes them."""

import contextlib
import socket
from collections.abc import Iterable, Iterator

CONNECT = b"\x00\x04MQTT\x04\x02\x00\x3c"
"""MQTT 3.1.1, clean session, keep-alive 60 s; the client id follows."""
PINGREQ = b"\xc0\x00"
PINGRESP = b"\xd0\x00"
DISCONNECT = b"\xe0\x00"
CHUNK = 1000
TIMEOUT_S = 60


def publication(topic: str, payload: bytes, *, qos: int = 0, retain: bool = False) -> bytes:
    """Return the PUBLISH packet of a message; with `qos` 1 its packet id is 1."""
    name = topic.encode()
    body = len(name).to_bytes(2) + name + (b"\x00\x01" if qos else b"") + payload
    return _packet(0x30 | qos << 1 | retain, body)


def publish(port: int, packets: Iterable[bytes], *, client_id: str = "") -> None:
    """Send these packets to the broker; return once it has taken all of them.

    Raises OSError when the broker closes the connection.
    """
    with _connection(port, client_id) as connection:
        for chunk in _chunks(packets):
            connection.sendall(chunk)
        connection.sendall(PINGREQ)
        received = b""
        while not received.endswith(PINGRESP):
            if not (more := connection.recv(65536)):
                raise ConnectionError("closed by the broker")
            received = received[-1:] + more


def take_id(port: int, client_id: str) -> None:
    """Make the broker disconnect this client, by another one of the same name."""
    publish(port, (), client_id=client_id)


@contextlib.contextmanager
def _connection(port: int, client_id: str) -> Iterator[socket.socket]:
    name = client_id.encode()
    with socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT_S) as connection:
        connection.sendall(_packet(0x10, CONNECT + len(name).to_bytes(2) + name))
        if connection.recv(4) != b"\x20\x02\x00\x00":
            raise ConnectionError("refused by the broker")
        yield connection
        connection.sendall(DISCONNECT)


def _packet(head: int, body: bytes) -> bytes:
    length = bytearray()
    left = len(body)
    while left > 0x7F:
        length.append(left & 0x7F | 0x80)
        left >>= 7
    return bytes([head, *length, left]) + body


def _chunks(packets: Iterable[bytes]) -> Iterator[bytes]:
    chunk: list[bytes] = []
    for packet in packets:
        chunk.append(packet)
        if len(chunk) == CHUNK:
            yield b"".join(chunk)
            chunk.clear()
    yield b"".join(chunk)
