"""Dead letters: whatever was sent and whatever is wrong with it, they fit into a message."""

import json

import pytest

from bridge.decode import Delivery
from telemetry.dead_letters.letter import DeadLetter
from telemetry.decode import Unreadable
from telemetry.mqtt import LARGEST_PACKET
from tests.unit.messages import message

PAYLOADS = [
    b"\x00" * 65_000,
    b"\xff" * 65_000,
    b'"' * 65_000,
    "😀".encode() * 16_000,
    b'{"value":1,"type":"' + "😀".encode() * 16_000 + b'"}',
    b'{"value":1,"type":"' + b"\\\\" * 30_000 + b'"}',
    b'{"value":1,"id":"' + b"\\u0001" * 10_000 + b'"}',
    b'{"value":1,"' + b"\\u0001" * 10_000 + b'":1}',
]
TOPICS = [
    "readings/1/t",
    "readings/" + "a" * 64 + "/" + "😀" * 64,
    "readings/" + "a" * 65_000 + "/t",
    "readings/" + "😀" * 16_000,
    "readings/" + "\x01" * 65_000,
    "readings/$a/t",
]


@pytest.mark.parametrize(
    "payload", PAYLOADS, ids=lambda payload: payload[:20].decode(errors="replace")
)
@pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic[:20])
def test_a_dead_letter_fits_the_broker(topic: str, payload: bytes) -> None:
    sent = message(payload, topic)
    with pytest.raises(Unreadable) as raised:
        Delivery(sent, lambda *_: "")
    letter = DeadLetter(sent, str(raised.value))
    assert 4 + len(letter.topic.encode()) + len(letter.payload) <= LARGEST_PACKET
    assert letter.topic.count("/") == 2
    content = json.loads(letter.payload)
    assert payload.decode(errors="replace").startswith(content["payload"])
    assert topic.startswith(content["topic"])
    assert content["reason"]
    assert len(str(letter)) < 2_100  # its line in the log


def test_an_ordinary_dead_letter_is_complete_and_on_the_topic_of_its_series() -> None:
    letter = DeadLetter(message(b"25 degrees", "readings/1/t"), "why")
    assert letter.topic == "rejected/1/t"
    assert json.loads(letter.payload) == {
        "reason": "why",
        "topic": "readings/1/t",
        "payload": "25 degrees",
    }
    assert str(letter) == "readings/1/t: why"
