"""Dead letters: they fit the broker, whatever was sent and whatever is wrong with it."""

import json

import pytest

from bridge.entry import Entry, Unreadable
from bridge.service import _dead_letter, _dead_letter_topic
from telemetry.mqtt import LARGEST_PACKET, Message

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
    message = Message(topic, payload, 1, 1, retain=False, epoch=1)
    with pytest.raises(Unreadable) as raised:
        Entry(message)
    name, letter = _dead_letter_topic(message), _dead_letter(message, str(raised.value))
    assert 4 + len(name.encode()) + len(letter) <= LARGEST_PACKET
    assert name.count("/") == 2
    told = json.loads(letter)
    assert payload.decode(errors="replace").startswith(told["payload"])
    assert topic.startswith(told["topic"])
    assert told["reason"]


def test_a_usual_dead_letter_is_whole_and_on_the_topic_of_its_series() -> None:
    message = Message("readings/1/t", b"25 degrees", 1, 1, retain=False, epoch=1)
    assert _dead_letter_topic(message) == "rejected/1/t"
    assert json.loads(_dead_letter(message, "why")) == {
        "reason": "why",
        "topic": "readings/1/t",
        "payload": "25 degrees",
    }
