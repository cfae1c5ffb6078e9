"""Messages from the broker: decoded, or unreadable with a reason that helps."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.decode import Delivery
from collector.intake import readings
from telemetry import topics
from telemetry.decode import Unreadable
from telemetry.origin import Origin, prefix
from telemetry.published import WithoutId
from tests.unit.messages import LABELS, TOPIC, message

TS = '"ts":"1970-01-01T00:00:01Z"'
COMPLETE = {"ts": "1970-01-01T00:00:01Z", "type": "temp", "value": 1, "sensor_id": 123}


def encode(series: str, value: float, ns: int) -> str:
    return f"{series} {value!r} {ns}"


def decode(payload: str | bytes, topic: str = TOPIC) -> Delivery:
    return Delivery(message(payload, topic), encode)


@given(LABELS | st.integers(0, 2**63 - 1), LABELS, st.floats(allow_nan=False, allow_infinity=False))
def test_what_the_collector_accepts_the_bridge_decodes(
    sensor_id: int | str, type_: str, value: float
) -> None:
    sent = {"type": type_, "value": value, "sensor_id": sensor_id, "ts": "1970-01-01T00:00:01Z"}
    _, (draft,), _ = readings.accept(json.dumps(sent).encode(), lines=False)
    payload = b'{"id":"0123456789ab.f00d:7",' + draft.body[1:]
    for root in (topics.READINGS, topics.REPLAY):
        delivery = decode(payload, root + draft.series)
        assert delivery.origin == Origin("0123456789ab", "f00d", 7)
        assert delivery.record == f"{sensor_id}/{type_} {value!r} 1000000000"


ID = '"id":"a.b:1"'
TEMP = '"type":"temp"'
SENSOR = '"sensor_id":123'
REST = f"{TS},{TEMP},{SENSOR}"


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (
            f'{{{ID},"value":1,{TS},{TEMP},"sensor_id":124}}',
            "sensor_id 124 is not the topic's",
        ),
        (
            f'{{{ID},"value":1,{TS},{TEMP},"sensor_id":"0123"}}',
            "sensor_id '0123' is not the topic's '123'",
        ),
        (
            f'{{{ID},"value":1,{TS},"type":"Temp",{SENSOR}}}',
            "type 'Temp' is not the topic's",
        ),
        (
            f'{{{ID},"value":true,{REST}}}',
            'value true must be a finite number; expected {"id":"ab4b',
        ),
        (f'{{{ID},"value":1e999,{REST}}}', "value 1e999 must be a finite number; expected {"),
        (f'{{{ID},"value":1{"0" * 400},{REST}}}', f"value 1{'0' * 99}… must be a finite number"),
        (f'{{{ID},"value":1{"0" * 5000},{REST}}}', f"value 1{'0' * 99}… must be a finite number"),
        (f'{{"id":5,"value":1,{REST}}}', "id 5 must be a string; expected {"),
        (f'{{{ID},"value":1,{TEMP},{SENSOR}}}', 'ts is required; expected {"id":"ab4b'),
        (f'{{{ID},"value":1,"ts":5,{TEMP},{SENSOR}}}', "ts 5 must be a string in RFC 3339 form"),
        (
            f'{{{ID},"value":1,{REST},"unit":"C"}}',
            'unit "C" is not a field of a reading; expected',
        ),
        (f'{{{ID},"value":1,{REST},"value":2}}', "the member 'value' occurs more than once"),
        (f'{{{ID},"value":1,{REST},"valu\\u0065":2}}', "the member 'value' occurs more than once"),
        ("25", '25 must be a JSON object; expected {"value": 21.5} on devices/<sensor_id>/<type>'),
        ("[]", "[] must be a JSON object; expected {"),
        ("", "not JSON: it ends too early; expected {"),
        ('{"value":1', 'not JSON: it ends too early; expected {"value": 21.5} on devices/'),
        ("25 °C", "not JSON: unexpected character '°' at byte 3; expected {"),
        ("°C", "not JSON: unexpected character '°' at byte 0"),
        (
            b"\xff\xfe",
            "not JSON: it begins with a byte order mark of UTF-16; send UTF-8",
        ),
        ('{"value":' + "[" * 100_000, "not JSON: it is nested too deeply"),
        (b'{"value":1,"id":"\xff:1"}', "not JSON: it is not UTF-8 at byte 17"),
        ('{"value":NaN}', "not JSON: JSON has no NaN"),
        ('{"value":1,"type":"\\ud800"}', "not JSON: a string has half of a surrogate pair"),
        ('{"value":1}', "id is required; expected {"),
    ],
)
def test_what_is_not_a_collectors_reading_is_unreadable_and_the_reason_has_an_example(
    payload: str | bytes, reason: str
) -> None:
    with pytest.raises(Unreadable) as raised:
        decode(payload)
    assert str(raised.value).startswith(reason)
    assert isinstance(raised.value, WithoutId) == (payload == '{"value":1}')


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
        decode(json.dumps(COMPLETE | {"id": "a.b:1"}), topic)


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
        "a.b.c:1",
        ".b:1",
        "a.:1",
    ],
)
def test_an_odd_id_is_unreadable(identity: str) -> None:
    with pytest.raises(Unreadable, match=r"is not <outbox>\.<run>:<sequence number>"):
        decode(json.dumps(COMPLETE | {"id": identity}))


@pytest.mark.parametrize(
    "identity", ["0123456789ab.0f:1", "0123456789ab:1", "a:9223372036854775807", "A1.b:10"]
)
def test_an_id_names_the_outbox_the_run_and_the_sequence_number(identity: str) -> None:
    origin = decode(json.dumps(COMPLETE | {"id": identity})).origin
    assert f"{prefix(origin.outbox, origin.run)}{origin.seq}" == identity


@pytest.mark.parametrize("field", ["sensor_id", "type", "ts"])
def test_an_id_without_all_that_a_collector_sends_is_unreadable(field: str) -> None:
    sent = {name: text for name, text in COMPLETE.items() if name != field}
    with pytest.raises(Unreadable, match=f"^{field} is required; expected "):
        decode(json.dumps(sent | {"id": "a.b:1"}))


@given(st.binary() | st.text('{}[]":,valueidts01.-e \\', max_size=40).map(str.encode), st.text())
def test_any_message_is_a_reading_or_unreadable(payload: bytes, topic: str) -> None:
    for name in (TOPIC, topic, f"readings/{topic}"):
        try:
            decode(payload, name)
        except Unreadable as unreadable:
            assert str(unreadable)  # noqa: PT017  either may happen


MEMBERS = {
    "id": st.just('"ab.cd:7"'),
    "ts": st.just('"2026-01-31T12:00:00Z"'),
    "type": st.just('"temp"'),
    "value": st.sampled_from(["1", "2.5"]),
    "sensor_id": st.sampled_from(["123", '"123"', '"\\u0031\\u0032\\u0033"']),
}
NAMES = st.lists(st.sampled_from([*MEMBERS, "\\u0074s", "valu\\u0065"]), min_size=1, max_size=8)


@given(NAMES, st.data())
def test_a_member_twice_is_unreadable(names: list[str], data: st.DataObject) -> None:
    plain = [json.loads(f'"{name}"') for name in names]
    members = [f'"{name}":{data.draw(MEMBERS[p])}' for name, p in zip(names, plain, strict=True)]
    sent = message("{" + ",".join(members) + "}")
    if sorted(plain) == sorted(MEMBERS):
        assert Delivery(sent, lambda *_: "").message is sent
    else:
        with pytest.raises(Unreadable):
            Delivery(sent, lambda *_: "")
