"""Packets cut anywhere, and the private parts of paho-mqtt that are relied on."""
# ruff: noqa: SLF001  this is about private parts

from collections import OrderedDict

from hypothesis import given
from hypothesis import strategies as st
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion

from telemetry.paho_client import Message, Outgoing, PahoClient


def listener(messages: list[Message]) -> PahoClient:
    """Return a client that was never connected, for what needs no connection."""
    return PahoClient(
        "unit",
        clean_session=True,
        on_arrival=messages.append,
        on_puback=lambda _: None,
        on_handled=lambda: None,
    )


def publish(topic: str, payload: bytes, mid: int) -> bytes:
    """Encode a PUBLISH at QoS 1 the plain way of the standard."""
    name = topic.encode()
    body = len(name).to_bytes(2, "big") + name + mid.to_bytes(2, "big") + payload
    length, rest = [], len(body)
    while True:
        rest, digit = divmod(rest, 128)
        length.append(digit | (128 if rest else 0))
        if not rest:
            return bytes((0x32, *length)) + body


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
def test_packets_are_found_however_the_stream_is_cut(
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


def test_message_ids_go_round_and_leave_out_those_in_use() -> None:
    client = listener([])
    client._out_messages[1] = client._out_messages[3] = Outgoing(1, b"t", b"", retain=False)
    client._last_mid = 65534
    assert [client._mid_generate() for _ in range(4)] == [65535, 2, 4, 5]


def test_paho_still_has_the_private_parts_that_are_relied_on() -> None:
    paho = Client(CallbackAPIVersion.VERSION2)
    assert type(paho._out_messages) is OrderedDict
    for method in (
        "_create_socket",
        "_mid_generate",
        "_pack_remaining_length",
        "_raise_for_invalid_topic",
    ):
        assert callable(getattr(paho, method)), method
    ours = Outgoing(1, b"topic", b"payload", retain=True)
    theirs = MQTTMessage(1, b"topic")
    # What paho sets itself before it looks at it:
    ours.timestamp = 0.0
    for field in MQTTMessage.__slots__:
        assert type(getattr(ours, field)) in {type(getattr(theirs, field)), bytes}, field
