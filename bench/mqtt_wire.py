"""MQTT 3.1.1 packets encoded in advance: a client that costs a fraction of the broker."""

import asyncio
import itertools
from collections.abc import Iterator, Sequence
from typing import cast

CONNACK_BYTES = 4
_PUBACK_BYTES = 4
SUBACK_BYTES = 5
_WINDOW = 1000
_MESSAGE_IDS = 60_000


def connect(client_id: str) -> bytes:
    """Return a CONNECT packet: clean session, no keepalive."""
    rest = b"\x00\x04MQTT\x04\x02\x00\x00" + len(client_id).to_bytes(2, "big") + client_id.encode()
    return b"\x10" + bytes([len(rest)]) + rest


def publish(topic: str, payload: bytes, mid: int) -> bytes:
    """Return a PUBLISH packet at QoS 1 of up to 16,383 bytes; equal parts, equal length."""
    name = topic.encode()
    length = 4 + len(name) + len(payload)
    is_short = length < 1 << 7
    head = bytes([0x32, length] if is_short else [0x32, length & 0x7F | 0x80, length >> 7])
    return b"".join((head, len(name).to_bytes(2, "big"), name, mid.to_bytes(2, "big"), payload))


def subscribe(topic: str, *, qos: int) -> bytes:
    """Return a SUBSCRIBE packet for one topic of up to 120 bytes."""
    rest = b"\x00\x01" + len(topic).to_bytes(2, "big") + topic.encode() + bytes([qos])
    return b"\x82" + bytes([len(rest)]) + rest


def message_ids() -> Iterator[int]:
    """Yield packet ids; each is free again long before it is reused."""
    return itertools.cycle(range(1, _MESSAGE_IDS + 1))


class Publisher(asyncio.Protocol):
    """Sends packets with a window; `done` resolves with the last PUBACK."""

    def __init__(self, chunks: Sequence[bytes], chunk_packets: int) -> None:
        self._chunks = iter(chunks)
        self._chunk_packets = chunk_packets
        self._expected = len(chunks) * chunk_packets * _PUBACK_BYTES
        self._in_flight = 0
        self._head = CONNACK_BYTES
        self._transport: asyncio.Transport
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send CONNECT (called by the loop)."""
        self._transport = cast("asyncio.Transport", transport)
        self._transport.write(connect("bench-publisher"))

    def data_received(self, data: bytes) -> None:
        """Count PUBACKs and send on (called by the loop)."""
        acknowledged = len(data)
        if self._head:
            acknowledged -= self._head
            self._head = max(0, -acknowledged)
            acknowledged = max(0, acknowledged)
        self._in_flight -= acknowledged
        self._expected -= acknowledged
        room = _WINDOW * _PUBACK_BYTES - self._in_flight
        chunks = room // (self._chunk_packets * _PUBACK_BYTES)
        packets = b"".join(itertools.islice(self._chunks, chunks))
        if packets:
            self._transport.write(packets)
            self._in_flight += chunks * self._chunk_packets * _PUBACK_BYTES
        if self._expected <= 0 and not self.done.done():
            self._transport.close()
            self.done.set_result(None)


class Subscriber(asyncio.Protocol):
    """Receives messages of one length and acknowledges each; `done` resolves with the last."""

    def __init__(self, topic: str, packet: bytes, count: int) -> None:
        self._topic = topic
        self._size = len(packet)
        self._mid = 5 + len(topic)
        self._missing = count
        self._received = b""
        self._head = CONNACK_BYTES + SUBACK_BYTES
        self._transport: asyncio.Transport
        loop = asyncio.get_running_loop()
        self.ready: asyncio.Future[None] = loop.create_future()
        self.done: asyncio.Future[None] = loop.create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Connect and subscribe (called by the loop)."""
        self._transport = cast("asyncio.Transport", transport)
        self._transport.write(connect("bench-subscriber") + subscribe(self._topic, qos=1))

    def data_received(self, data: bytes) -> None:
        """Acknowledge complete messages (called by the loop)."""
        self._received += data
        if self._head:
            if len(self._received) < self._head:
                return
            self._received = self._received[self._head :]
            self._head = 0
            self.ready.set_result(None)
        count = len(self._received) // self._size
        if not count:
            return
        whole = self._received[: count * self._size]
        self._received = self._received[len(whole) :]
        acknowledgements = bytearray(b"\x40\x02\x00\x00" * count)
        acknowledgements[2::4] = whole[self._mid :: self._size]
        acknowledgements[3::4] = whole[self._mid + 1 :: self._size]
        self._transport.write(acknowledgements)
        self._missing -= count
        if self._missing <= 0 and not self.done.done():
            self._transport.close()
            self.done.set_result(None)
