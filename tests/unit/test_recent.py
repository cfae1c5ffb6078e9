"""The dead letters in the bridge's status: the last ones, short, of what is in no outbox."""

import msgspec
import pytest

from telemetry.dead_letters.letter import DeadLetter
from telemetry.dead_letters.recent import Recent
from telemetry.mqtt import LARGEST_PACKET
from telemetry.status import OFFLINE, Letter, Status
from tests.unit.bridge_rig import UNREADABLE, BridgeRig
from tests.unit.messages import message

HOSTILE = "\x01" * 60_000


def test_the_last_ten_are_kept() -> None:
    recent = Recent()
    for number in range(12):
        recent.add(DeadLetter(message(f"nonsense {number}"), "why"))
    assert [one.payload for one in recent.letters()] == [f"nonsense {n}" for n in range(2, 12)]


@pytest.mark.parametrize("text", [HOSTILE, "😀" * 15_000, '"' * 60_000])
def test_whatever_was_sent_a_status_fits_the_broker(text: str) -> None:
    recent = Recent()
    for _ in range(20):
        recent.add(DeadLetter(message(text, f"readings/{text}"), text))
    letter = recent.letters()[0]
    assert (len(letter.topic), len(letter.reason), len(letter.payload)) == (150, 200, 100)
    status = msgspec.json.encode(Status("waiting", HOSTILE[:1000], {}, recent.letters()))
    assert len(status) < LARGEST_PACKET - 1000


def test_bytes_that_are_not_utf8_are_replaced() -> None:
    recent = Recent()
    recent.add(DeadLetter(message(b"\xff\xfe25"), "why"))
    assert recent.letters()[0].payload == "\ufffd\ufffd25"


def test_without_any_the_status_is_what_it_was() -> None:
    assert msgspec.json.encode(Status("storing")) == b'{"state":"storing"}'
    assert OFFLINE == b'{"state":"offline"}'


def test_a_reader_that_does_not_know_the_list_still_reads_the_status() -> None:
    class Older(msgspec.Struct):
        state: str
        reason: str | None = None
        counters: dict[str, int] = {}

    status = Status("storing", None, {"stored": 1}, [Letter("", "t", "r", "p")])
    assert msgspec.json.decode(msgspec.json.encode(status), type=Older).counters == {"stored": 1}


def test_the_bridge_shows_what_devices_sent_wrong_and_no_reading_of_an_outbox() -> None:
    rig = BridgeRig()
    try:
        rig.connect()
        rig.send(UNREADABLE, None)
        rig.send("poison")
        rig.tick()
        shown = rig.status().dead_letters
    finally:
        rig.close()
    (letter,) = shown
    assert (letter.topic, letter.payload) == ("readings/123/temp", rig.sent[0].payload.decode())
