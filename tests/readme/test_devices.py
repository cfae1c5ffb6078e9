"""Messages of devices in the documentation are taken as it says."""

import json
import re

import pytest

from collector.devices.payload import read
from collector.devices.refusal import Refusal
from tests.readme.documents import rows, section


def messages() -> list[tuple[str, str]]:
    """Return topic and payload of each message shown."""
    table = rows(section("docs/devices.md", "Messages"))
    return [(topic.strip("`"), payload.strip("`")) for topic, payload, _ in table]


@pytest.mark.parametrize(("topic", "payload"), messages())
def test_a_message_is_taken_with_its_ref(topic: str, payload: str) -> None:
    taken = read(topic, payload.encode())
    assert len(taken.drafts) == (2 if "humidity" in payload else 1)
    assert taken.sensor == "kitchen"
    sent = json.loads(payload)
    ref = sent.get("ref") if isinstance(sent, dict) else None
    assert json.loads(taken.ref or b"null") == ref


def test_the_refusal_is_the_one_shown() -> None:
    (shown,) = re.findall(
        r'`(\{[^`]*"errors":[^`]*"field"[^`]*\})`', section("docs/devices.md", "Answers")
    )
    with pytest.raises(Refusal) as refused:
        read("devices/kitchen", b'{"temp": "warm", "humidity": 40, "ref": 17}')
    refusal = refused.value
    answer = {"ref": json.loads(refusal.ref or b"null"), "errors": refusal.errors}
    assert answer == json.loads(shown)
