"""Messages from the broker: read, filled in from the topic, or said to be unreadable."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.entry import Entry, Unreadable
from collector import body
from telemetry import topics
from telemetry.mqtt import Message
from tests.unit.test_line_protocol import LABELS

TOPIC = "readings/123/temp"
TS = '"ts":"1970-01-01T00:00:01Z"'


def message(payload: str | bytes, topic: str = TOPIC) -> Message:
    """Return a message as it arrives."""
    content = payload.encode() if isinstance(payload, str) else payload
    return Message(topic, content, mid=1, qos=1, retain=False, epoch=1)


@given(LABELS | st.integers(0, 2**63 - 1), LABELS, st.floats(allow_nan=False, allow_infinity=False))
def test_what_the_collector_accepts_the_bridge_reads(
    sensor_id: int | str, type_: str, value: float
) -> None:
    sent = {"type": type_, "value": value, "sensor_id": sensor_id, "ts": "1970-01-01T00:00:01Z"}
    (reading,), _ = body.decode(json.dumps(sent).encode(), lines=False)
    accepted = body.accept(reading)
    payload = b'{"id":"0123456789ab:7",' + accepted.body[1:]
    for root in (topics.READINGS, topics.REPLAY):
        entry = Entry(message(payload, root + accepted.topic))
        assert (entry.collector, entry.seq) == ("0123456789ab", 7)
        assert entry.line.endswith(f" value={value!r} 1000000000")


@pytest.mark.parametrize("topic", [TOPIC, "replay/123/temp"])
@pytest.mark.parametrize(
    "payload", [f'{{"value":25,{TS}}}', f'{{"value":25,"sensor_id":123,"type":"temp",{TS}}}',
                f'{{"value":25,"sensor_id":"123",{TS}}}', f'{{"value":25,"type":"temp",{TS}}}'],
)  # fmt: skip
def test_sensor_and_type_may_be_left_to_the_topic(topic: str, payload: str) -> None:
    entry = Entry(message(payload, topic))
    assert entry.line == "data,sensor_id=123,type=temp value=25 1000000000"
    assert (entry.collector, entry.seq) == ("", 0)


def test_a_reading_without_ts_gets_the_bridges_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bridge.entry.time.time_ns", lambda: 42)
    assert Entry(message('{"value":1}')).line == "data,sensor_id=123,type=temp value=1 42"


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        ('{"value":1,"sensor_id":124}', "sensor_id 124 is not the topic's '123'"),
        ('{"value":1,"sensor_id":"0123"}', "sensor_id '0123' is not the topic's '123'"),
        ('{"value":1,"type":"Temp"}', "type 'Temp' is not the topic's 'temp'"),
        ('{"value":1,"sensor_id":null}', "got `null`"),
        ('{"value":true}', "got `bool`"),
        ('{"value":"1"}', "got `str`"),
        ('{"value":1' + "0" * 400 + "}", "value must be a finite number"),
        ('{"value":1' + "0" * 5000 + "}", "value"),
        ('{"value":1,"sensor_id":1' + "0" * 5000 + "}", "sensor_id"),
        ('{"value":1e999}', "out of range"),
        ('{"value":NaN}', "malformed"),
        ("{}", "missing required field `value`"),
        ('{"value":1,"unit":"C"}', "unknown field `unit`"),
        ('{"value":1,"ts":"yesterday"}', "must be RFC 3339"),
        ('{"value":1,"ts":5}', "got `int`"),
        ("25", "got `int`"),
        ("[]", "got `array`"),
        ("", "truncated"),
        ("25 °C", "got `int`"),
        ("°C", "malformed"),
        (b"\xff\xfe", "malformed"),
        ('{"value":' + "[" * 100_000, "`array`"),
        (b'{"value":1,"id":"\xff:1"}', "UTF-8"),
    ],
)
def test_a_payload_that_is_no_reading_is_unreadable(payload: str | bytes, reason: str) -> None:
    with pytest.raises(Unreadable) as raised:
        Entry(message(payload))
    assert reason.lower() in str(raised.value).lower()


@pytest.mark.parametrize(
    "topic",
    [
        "readings/123",
        "readings/123/temp/x",
        "readings//temp",
        "readings/123/",
        "readings/$a/temp",
        "readings/123/a\x7fb",
        "readings/" + "a" * 65 + "/temp",
        "readings",
        "readings/\ufffd\\/temp",
    ],
)
def test_a_topic_that_no_reading_has_is_unreadable(topic: str) -> None:
    with pytest.raises(Unreadable):
        Entry(message('{"value":1}', topic))


@pytest.mark.parametrize(
    "identity",
    [
        "",
        ":",
        "abc",
        "abc:",
        ":7",
        "abc:0",
        "abc:-1",
        "abc:+1",
        "abc: 1",
        "abc:1 ",
        "abc:1_0",
        "abc:07",
        "abc:1:2",
        "abc:x",
        "abc:1.0",
        "abc:٣",
        "é:1",
        "a/b:1",
        "+:1",
        "#:1",
        "a b:1",
        "a" * 65 + ":1",
        "abc:" + "9" * 20,
        "abc:" + "9" * 5000,
        "abc:1\n",
    ],
)
def test_an_odd_id_is_unreadable(identity: str) -> None:
    with pytest.raises(Unreadable, match="is not <collector>:<sequence number>"):
        Entry(message(json.dumps({"value": 1, "id": identity})))


@pytest.mark.parametrize("identity", ["0123456789ab:1", "a:9223372036854775807", "A1:10"])
def test_an_id_names_the_collector_and_the_number(identity: str) -> None:
    entry = Entry(message(json.dumps({"value": 1, "id": identity})))
    assert f"{entry.collector}:{entry.seq}" == identity


@given(st.binary() | st.text('{}[]":,valueidts01.-e \\', max_size=40).map(str.encode), st.text())
def test_nothing_that_arrives_does_more_than_be_unreadable(payload: bytes, topic: str) -> None:
    for name in (TOPIC, topic, f"readings/{topic}"):
        try:
            Entry(message(payload, name))
        except Unreadable as unreadable:
            assert str(unreadable)  # noqa: PT017  either may happen


@given(LABELS, LABELS)
def test_a_topic_is_read_back(sensor_id: str, type_: str) -> None:
    assert topics.labels(f"readings/{sensor_id}/{type_}") == (sensor_id, type_)


@pytest.mark.parametrize("topic", ["", "readings", "readings/1", "readings/1/2/3"])
def test_a_topic_with_other_levels_is_refused(topic: str) -> None:
    with pytest.raises(ValueError, match="is not readings/<sensor_id>/<type>"):
        topics.labels(topic)
