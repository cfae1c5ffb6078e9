"""Messages on devices/#: what is taken of them, and in which words they are refused."""

import json
import math
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.devices.payload import Taken, read
from collector.devices.refusal import Refusal

TS = "2026-01-31T12:00:00Z"
NS = 1769860800_000000000
ONE = 'expected a number such as 21.5, or {"value": 21.5, "ts": "2026-01-31T12:00:00Z"}'
MANY = 'expected numbers by type, such as {"temp": 21.5, "humidity": 40}, or an array of readings'


def stored(taken: Taken) -> list[dict[str, object]]:
    """Return the readings without their times."""
    readings = [json.loads(draft.body) for draft in taken.drafts]
    return [{name: reading[name] for name in reading if name != "ts"} for reading in readings]


def refusal(topic: str, payload: bytes) -> Refusal:
    with pytest.raises(Refusal) as caught:
        read(topic, payload)
    return caught.value


@pytest.mark.parametrize(
    ("payload", "value", "ref"),
    [
        (b"21.5", 21.5, None),
        (b" -1e3\n", -1000.0, None),
        (b"0", 0, None),
        (b"0.0e-5", 0, None),
        (b'{"value": 21.5}', 21.5, None),
        (b'{"value": 2, "ref": "a\\"b"}', 2, b'"a\\"b"'),
        (b'{"ref": -7, "value": 2}', 2, b"-7"),
        (b'{"value": 2, "type": "temp", "sensor_id": 7}', 2, None),
        (b'{"value": 2, "sensor_id": "7"}', 2, None),
    ],
)
def test_a_topic_with_a_type_takes_a_number(payload: bytes, value: float, ref: bytes) -> None:
    taken = read("devices/7/temp", payload)
    assert stored(taken) == [{"type": "temp", "value": value, "sensor_id": 7}]
    assert (taken.sensor, taken.ref) == ("7", ref)


def test_a_time_is_the_readings() -> None:
    (one,) = read("devices/k/t", b'{"value":1,"ts":"2026-01-31T13:00:00+01:00"}').drafts
    assert (one.series, one.ns) == ("k/t", NS)


@pytest.mark.parametrize(
    ("level", "sensor_id"),
    [("7", 7), ("0", 0), ("07", "07"), ("kitchen", "kitchen"), ("9" * 19, "9" * 19), ("٣", "٣")],
)
def test_a_sensor_is_a_number_where_it_would_be_one_by_http(
    level: str, sensor_id: int | str
) -> None:
    (reading,) = stored(read(f"devices/{level}/t", b"1"))
    assert reading["sensor_id"] == sensor_id


def test_an_object_holds_a_number_for_each_type() -> None:
    taken = read("devices/k", b'{"temp":21.5,"ts":"2026-01-31T12:00:00Z","hum":40,"ref":4}')
    assert stored(taken) == [
        {"type": "temp", "value": 21.5, "sensor_id": "k"},
        {"type": "hum", "value": 40, "sensor_id": "k"},
    ]
    assert {draft.ns for draft in taken.drafts} == {NS}
    assert taken.ref == b"4"


def test_an_array_holds_readings_of_any_sensor() -> None:
    readings = [
        {"type": "a", "value": 1, "sensor_id": 9},
        {"type": "b", "value": 2, "sensor_id": "k"},
    ]
    text = json.dumps(readings).encode()
    assert stored(read("devices/gateway", text)) == readings
    batch = read("devices/gateway", b'{"ref":"x","readings":%b}' % text)
    assert (stored(batch), batch.sensor, batch.ref) == (readings, "gateway", b'"x"')


def test_a_ref_may_be_any_text() -> None:
    taken = read("devices/k", b'{"temp":1,"ref":"readings"}')
    assert (stored(taken)[0]["type"], taken.ref) == ("temp", b'"readings"')


TWICE = f"the member 'value' occurs more than once in an object; {ONE}"
WORDS = [
    (b"hot", f"the payload is not JSON: unexpected character 'h' at byte 0; {ONE}"),
    (b"21,5", f"the payload is not JSON: unexpected character ',' at byte 2; {ONE}"),
    (b'{"value": 2', f"the payload is not JSON: it ends too early; {ONE}"),
    (b"\xff", f"the payload is not JSON: it is not UTF-8 at byte 0; {ONE}"),
    (b'{"value":NaN}', f"the payload is not JSON: JSON has no NaN; {ONE}"),
    (b"[" * 60_000, f"the payload is not JSON: it is nested too deeply; {ONE}"),
    (b'"21"', f'value "21" must be a finite number; {ONE}'),
    (b"true", f"value true must be a finite number; {ONE}"),
    (b"1e400", f"value 1e400 must be a finite number; {ONE}"),
    (b"1e-400", f"value 1e-400 is not 0, but too small for a 64-bit float; {ONE}"),
    (b'{"ref":5}', f"value is required; {ONE}"),
    (b'{"value":1,"unit":"C"}', f'unit "C" is not a member of such a message; {ONE}'),
    (b'{"value":1,"type":"u"}', f'type "u" must be the topic\'s, t, or left out; {ONE}'),
    (b'{"value":1,"sensor_id":7}', f"sensor_id 7 must be the topic's, k, or left out; {ONE}"),
    (b'{"value":1,"value":2}', f"the member 'value' occurs more than once in an object; {ONE}"),
    (
        b'{"value":1,"\\u0076alue":2}',
        f"the member 'value' occurs more than once in an object; {ONE}",
    ),
    (
        b'{"value":1,"ref":1.5}',
        f"ref 1.5 must be a string or an integer of at most 100 bytes as JSON; {ONE}",
    ),
    (
        b'{"value":"x","ts":5}',
        f'value "x" must be a finite number; 2 faults in all; {ONE}',
    ),
]


@pytest.mark.parametrize(("payload", "words"), WORDS)
def test_it_says_what_is_wrong_with_one_value(payload: bytes, words: str) -> None:
    refused = refusal("devices/k/t", payload)
    assert str(refused) == words
    assert refused.sensor == "k"


@pytest.mark.parametrize(
    ("payload", "words"),
    [
        (b"5", f"payload 5 is not an object or an array; {MANY}"),
        (b"{}", f"payload {{}} holds no number; {MANY}"),
        (b"[]", f"payload [] holds no reading; {MANY}"),
        (b'{"ts":"2026-01-31T12:00:00Z"}', None),
        (b'{"temp":"hot"}', f'temp "hot" must be a finite number; {MANY}'),
        (b'{"temp":true}', f"temp true must be a finite number; {MANY}"),
        (b'{"temp":1,"ts":4}', f"ts 4 must be a string in RFC 3339 form; {MANY}"),
        (b'{"a/b":1}', f"a/b 1 must be printable characters without / + #; {MANY}"),
        (b'{"a":0,"b":1e-999}', f"b 1e-999 is not 0, but too small for a 64-bit float; {MANY}"),
        (b'{"a":1,"a":2}', f"the member 'a' occurs more than once in an object; {MANY}"),
        (b'{"readings":3}', f"readings 3 must be an array of readings; {MANY}"),
        (b'{"readings":[],"x":1}', f"x 1 is not a member of such a message; {MANY}"),
        (b'{"readings":[{"value":1}]}', "nothing was stored: index 0: type is required"),
    ],
)
def test_it_says_what_is_wrong_with_several_values(payload: bytes, words: str | None) -> None:
    refused = refusal("devices/k", payload)
    assert str(refused).startswith(words or "payload ")
    assert refused.sensor == "k"


@pytest.mark.parametrize(
    "topic", ["devices", "devices/", "devices//t", "devices/a/b/c", "devices/$a"]
)
def test_another_topic_is_refused(topic: str) -> None:
    refused = refusal(topic, b"1")
    assert str(refused).startswith("the topic is not devices/<sensor_id>/<type> or")
    assert not refused.sensor


def test_each_fault_is_listed_with_the_ref() -> None:
    refused = refusal("devices/k", b'{"a":"x","b":null,"ref":9}')
    assert refused.ref == b"9"
    assert refused.errors == [
        {"field": "a", "value": '"x"', "detail": "must be a finite number"},
        {"field": "b", "value": "null", "detail": "must be a finite number"},
    ]
    batch = refusal("devices/k", b'{"ref":"r","readings":[{"type":"t","value":"x","sensor_id":1}]}')
    assert batch.ref == b'"r"'
    assert [error["index"] for error in batch.errors] == [0]


def test_the_name_of_readings_may_be_escaped() -> None:
    escaped = b'{"reading\\u0073":[{"type":"t","value":1,"sensor_id":"k"}]}'
    assert stored(read("devices/k", escaped)) == [{"type": "t", "value": 1, "sensor_id": "k"}]
    assert "readings" in str(refusal("devices/k", b'{"reading\\u0073":5}'))


@pytest.mark.parametrize("repeated", [b'"ref":1,"ref":2', b'"ref":1,"\\u0072ef":2'])
def test_a_ref_that_is_there_twice_is_refused(repeated: bytes) -> None:
    assert "more than once" in str(refusal("devices/k", b'{%b,"readings":[]}' % repeated))
    assert "more than once" in str(refusal("devices/k", b'{%b,"temp":1}' % repeated))
    assert "more than once" in str(refusal("devices/k/t", b'{%b,"value":1}' % repeated))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["value", "ts", "ref", "readings", "t", "é"]), inner)
    ),
    max_leaves=6,
)


@given(topic=st.sampled_from(["devices/k", "devices/k/t"]), sent=JSON)
def test_whatever_is_sent_is_taken_whole_or_refused(topic: str, sent: object) -> None:
    with suppress(Refusal):
        taken = read(topic, json.dumps(sent).encode())
        members = sent if isinstance(sent, dict) else {"value": sent}
        numbers = [members[name] for name in members if name not in ("ts", "ref")]
        assert [reading["value"] for reading in stored(taken)] == numbers
        assert all(type(number) in (int, float) and math.isfinite(number) for number in numbers)
