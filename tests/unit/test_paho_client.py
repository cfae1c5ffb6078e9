"""Packets split at any byte, and the private parts of paho-mqtt that PahoClient uses."""
# ruff: noqa: SLF001  this is about private parts

import asyncio
from collections import OrderedDict

from hypothesis import given, settings
from hypothesis import strategies as st
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion

from telemetry.mqtt.buffered_socket import BufferedSocket
from telemetry.mqtt.paho_client import Message, Outgoing, PahoClient

# The first byte of each kind of packet, with bodies too short for it or just long enough.
PACKETS = [
    bytes((command, length)) + bytes(length)
    for command in (0x20, 0x30, 0x32, 0x34, 0x36, 0x40, 0x50, 0x62, 0x90, 0xB0, 0xD0)
    for length in range(5)
]


def listener(messages: list[Message]) -> PahoClient:
    """Return a client that is not connected."""
    return PahoClient(
        "unit",
        clean_session=True,
        on_arrival=messages.append,
        on_puback=lambda _: None,
        on_handled=lambda: None,
    )


def publish(topic: str, payload: bytes, mid: int) -> bytes:
    """Encode a PUBLISH at QoS 1 step by step as the standard describes it."""
    name = topic.encode()
    body = len(name).to_bytes(2, "big") + name + mid.to_bytes(2, "big") + payload
    length, rest = [], len(body)
    while True:
        rest, digit = divmod(rest, 128)
        length.append(digit | (128 if rest else 0))
        if not rest:
            return bytes((0x32, *length)) + body


@settings(deadline=None)  # the machine may be busy
@given(
    st.lists(
        st.tuples(
            st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
            st.one_of(st.binary(max_size=20), st.integers(100, 20_000).map(bytes)),
            st.integers(1, 65535),
        ),
        max_size=8,
    ),
    st.lists(st.integers(1, 300), min_size=1, max_size=50),
)
def test_packets_are_found_wherever_the_stream_is_split(
    sent: list[tuple[str, bytes, int]], cuts: list[int]
) -> None:
    messages: list[Message] = []
    client = listener(messages)
    stream = b"".join(publish(*message) for message in sent)
    for cut in cuts:
        client.feed(stream[:cut])
        stream = stream[cut:]
    client.feed(stream)
    assert [(m.topic, m.payload, m.mid) for m in messages] == sent


class Sink(asyncio.Transport):
    """Discards what is written."""

    def write(self, data: bytes | bytearray | memoryview) -> None:
        pass

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        pass

    def is_closing(self) -> bool:
        return False


@settings(deadline=None)  # the machine may be busy
@given(st.lists(st.one_of(st.binary(), st.sampled_from(PACKETS)), max_size=20))
def test_invalid_bytes_at_most_end_the_connection(garbage: list[bytes]) -> None:
    async def scenario() -> None:
        client = listener([])
        client.connect_async("nowhere")
        connection = BufferedSocket(client.feed, lambda: None)
        connection.connection_made(Sink())
        client.start(connection)
        for data in garbage:
            connection.data_received(data)

    asyncio.run(scenario())


def test_message_ids_wrap_around_and_skip_those_in_use() -> None:
    client = listener([])
    client._out_messages[1] = client._out_messages[3] = Outgoing(1, b"t", b"", retain=False)
    client._last_mid = 65534
    assert [client._mid_generate() for _ in range(4)] == [65535, 2, 4, 5]


def test_paho_still_has_the_private_parts_in_use() -> None:
    paho = Client(CallbackAPIVersion.VERSION2)
    assert type(paho._out_messages) is OrderedDict
    for method in (
        "_create_socket",
        "_mid_generate",
        "_pack_remaining_length",
    ):
        assert callable(getattr(paho, method)), method
    ours = Outgoing(1, b"topic", b"payload", retain=True)
    theirs = MQTTMessage(1, b"topic")
    # What paho sets itself before it looks at it:
    ours.timestamp = 0.0
    for field in MQTTMessage.__slots__:
        assert type(getattr(ours, field)) in {type(getattr(theirs, field)), bytes}, field
