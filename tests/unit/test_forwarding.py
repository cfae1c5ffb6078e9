"""Devices' messages on readings/: the bridge forwards what is a reading, and nothing else."""

import json
from collections.abc import Iterator
from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge import forwarding
from bridge.forwarding import Forwarding
from telemetry.decode import Unreadable
from telemetry.mqtt import Message
from tests.unit.bridge_rig import BridgeRig
from tests.unit.messages import TOPIC, message

TS = '"ts":"1970-01-01T00:00:01Z"'


@pytest.fixture
def rig() -> Iterator[BridgeRig]:
    with closing(BridgeRig()) as rig:
        yield rig


class Taken:
    """What a Forwarding publishes and acknowledges."""

    def __init__(self) -> None:
        self.published: list[tuple[str, bytes]] = []
        self.acknowledged: list[Message] = []
        self.forwarding = Forwarding(self._publish, self.acknowledged.append)

    def _publish(self, topic: str, payload: bytes) -> int:
        self.published.append((topic, payload))
        return len(self.published)

    def take(self, payload: str | bytes, topic: str = TOPIC) -> None:
        self.forwarding.take(message(payload, topic))


@pytest.fixture
def taken() -> Taken:
    return Taken()


@pytest.mark.parametrize(
    "payload",
    [
        '{"value":25}',
        f' {{"value":25.5,{TS}}}',
        f'{{"value":25,"sensor_id":123,"type":"temp",{TS}}}',
        '{"value":25,"sensor_id":"123"}',
        '{"value":25,"type":"t\\u0065mp"}',
    ],
)
def test_a_reading_is_forwarded_unchanged(taken: Taken, payload: str) -> None:
    taken.take(payload)
    assert taken.published == [("devices/123/temp", payload.encode())]
    assert taken.acknowledged == []
    taken.forwarding.on_puback(1)
    assert taken.acknowledged == [message(payload)]


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        ('{"value":1,"sensor_id":124}', "sensor_id 124 is not the topic's '123'"),
        ('{"value":1,"sensor_id":"0123"}', "sensor_id '0123' is not the topic's '123'"),
        ('{"value":1,"type":"Temp"}', "type 'Temp' is not the topic's 'temp'"),
        ('{"value":1,"sensor_id":null}', "sensor_id null must be an integer from 0 to"),
        ('{"value":true}', "value true must be a finite number; expected {"),
        ('{"value":"1"}', 'value "1" must be a finite number; expected {'),
        ('{"value":1e999}', "value 1e999 must be a finite number; expected {"),
        ('{"value":1' + "0" * 400 + "}", f"value 1{'0' * 99}… must be a finite number; expected"),
        ('{"value":1' + "0" * 5000 + "}", f"value 1{'0' * 99}… must be a finite number; expected"),
        ('{"value":1,"sensor_id":1' + "0" * 5000 + "}", f"sensor_id 1{'0' * 99}… must be an"),
        ("{}", 'value is required; expected {"value": 21.5} on devices/<sensor_id>/<type>'),
        ('{"value":1,"unit":"C"}', 'unit "C" is not a field of a reading; expected {'),
        ('{"value":1,"ts":"noon"}', 'ts "noon" must be RFC 3339 with an offset, such as'),
        ('{"value":1,"ts":5}', "ts 5 must be a string in RFC 3339 form; expected {"),
        ('{"value":1,"value":2}', "the member 'value' occurs more than once in an object"),
        ('{"value":1,"valu\\u0065":2}', "the member 'value' occurs more than once in an object"),
    ],
)
def test_what_is_no_reading_is_refused_with_the_reason(
    taken: Taken, payload: str, reason: str
) -> None:
    with pytest.raises(Unreadable) as raised:
        taken.take(payload)
    assert str(raised.value).startswith(reason)
    assert (taken.published, taken.acknowledged) == ([], [])


@pytest.mark.parametrize(
    "topic",
    ["readings/123", "readings/123/temp/x", "readings//temp", "readings/$a/temp", "replay/123/t"],
)
def test_on_a_topic_that_no_device_should_use_nothing_is_forwarded(
    taken: Taken, topic: str
) -> None:
    with pytest.raises(Unreadable):
        taken.take('{"value":1}', topic)
    assert taken.published == []


@given(st.binary() | st.text('{}[]":,valueidts01.-e \\', max_size=40).map(str.encode), st.text())
def test_any_message_is_forwarded_or_unreadable(payload: bytes, topic: str) -> None:
    taken = Taken()
    for name in (TOPIC, topic, f"readings/{topic}"):
        try:
            taken.take(payload, name)
        except Unreadable as unreadable:
            assert str(unreadable)  # noqa: PT017  either may happen
    assert all("id" not in json.loads(sent) for _, sent in taken.published)


def test_a_devices_reading_is_forwarded_and_acknowledged_once_the_broker_has_it(
    rig: BridgeRig, caplog: pytest.LogCaptureFixture
) -> None:
    rig.connect()
    for _ in range(5):
        rig.send("good", None)
    (forwarded, *_) = [message for message in rig.published if message[0].startswith("devices/")]
    assert forwarded == ("devices/123/temp", rig.sent[0].payload)
    assert len(rig.broker.session) == 5
    rig.puback()
    rig.puback()
    assert rig.broker.session == []
    assert rig.forwarded == {1, 2, 3, 4, 5}
    assert rig.stored == set()
    rig.tick()
    assert rig.status().counters["forwarded"] == 5
    assert caplog.text.count("devices should publish now: readings/123/temp") == 1


def test_what_was_held_is_forwarded_on_the_next_connection(rig: BridgeRig) -> None:
    rig.connect()
    for _ in range(5):
        rig.send("good", None)
    rig.disconnect()
    rig.connect()
    for _ in range(4):
        rig.puback()
    assert rig.forwarded == set(range(1, 6))


def test_so_many_are_held_and_the_others_counted(
    taken: Taken, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forwarding, "WINDOW", 2)
    monkeypatch.setattr(forwarding, "MAX_HELD", 3)
    for _ in range(6):
        taken.take('{"value":1}')
    assert (taken.forwarding.forwarded, taken.forwarding.dropped) == (2, 1)
    assert len(taken.acknowledged) == 1


def test_flooded_by_devices_at_qos_0_the_bridge_holds_one_and_counts_the_others(
    rig: BridgeRig,
) -> None:
    rig.connect()
    for _ in range(10):
        rig.send("good", None, 0)
    for _ in range(3):
        rig.puback()
    rig.tick()
    counted = rig.status().counters
    assert (counted["forwarded"], counted["not_forwarded"]) == (4, 6)


@pytest.mark.parametrize(
    "topic", ["readings/123/temp", "replay/123/temp", "status/collector/c", "status/x"]
)
@pytest.mark.parametrize("retain", [False, True])
def test_clearing_a_retained_message_is_nothing_at_all(
    rig: BridgeRig, topic: str, retain: bool, caplog: pytest.LogCaptureFixture
) -> None:
    rig.connect()
    count = len(rig.published)
    rig.broker.offer(topic, b"", retain=retain)
    rig.settle_down()
    assert rig.broker.session == []
    assert len(rig.published) == count
    rig.tick()
    assert rig.status().counters["unreadable"] == 0
    assert "unreadable" not in caplog.text


def test_the_hint_comes_at_most_once_a_minute(
    rig: BridgeRig, caplog: pytest.LogCaptureFixture
) -> None:
    rig.connect()
    for seconds, count in ((0, 1), (59, 1), (1, 2)):
        rig.tick(seconds)
        rig.send("good", None)
        assert caplog.text.count("devices should publish now") == count


def test_without_an_id_nothing_is_stored_from_replay(rig: BridgeRig) -> None:
    rig.connect()
    rig.broker.offer("replay/123/temp", b'{"value":1}')
    rig.settle_down()
    rig.tick()
    (letter,) = rig.status().dead_letters
    assert letter.reason == "id is required: only collectors publish on replay/"
    assert rig.status().counters["forwarded"] == 0
