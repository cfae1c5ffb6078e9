"""Broken and hostile messages: a clear refusal, in bounded work."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.formats.catalog import families
from collector.formats.formats import Formats
from collector.intake.draft import draft
from telemetry.decode import Unreadable, boundary
from telemetry.reading import label_fault

EVERY = Formats.load(",".join(["all", *families()]), "", "UTC")
TOPICS = [
    "tele/x/SENSOR",
    "tele/x/STATE",
    "zigbee2mqtt/x",
    "shellies/x/relay/0/power",
    "shellies/x/status",
    "shelly-x/events/rpc",
    "shelly-x/status/switch:0",
    "x/sensor/y/state",
    "x/binary_sensor/y/state",
    "v3/a/devices/x/up",
    "owntracks/x/y",
    "homeassistant/sensor/x/state",
]
MOST = 65_000

read = boundary(EVERY.read)


def types(payload: bytes, topic: str = "tele/x/SENSOR") -> list[str]:
    return [reading.type for reading in EVERY.read(topic, payload).readings]


def refusal(payload: bytes, topic: str = "tele/x/SENSOR") -> str:
    with pytest.raises(Unreadable) as refused:
        read(topic, payload)
    return str(refused.value)


@pytest.mark.parametrize(
    ("payload", "said"),
    [
        (b"hello", 'expected JSON, such as {"t": 2.5}, found hello: unexpected character'),
        (b"", "found nothing: it ends too early"),
        (b"\xff{}", "it is not UTF-8 at byte 0"),
        (b"[1]", 'expected a JSON object, such as {"t": 2.5}, found [1]'),
        (b'{"a":1,"a":2}', "the member 'a' occurs more than once in an object"),
        (b'{"Time":"noon"}', 'or 1769860800 (seconds or milliseconds since 1970), found "noon"'),
        (b'{"Time":true}', "found true"),
        (b'{"Time":1e300}', "found 1e+300"),
        (b'{"Time":NaN}', "found NaN"),
        (b'{"Time":"2026-02-30T12:00:00"}', 'found "2026-02-30T12:00:00"'),
        (b'{"a_b":1,"a":{"b":2}}', "expected values with different names; two are 'a_b'"),
        (b'{"a/b":1,"a+b":2}', "expected values with different names; two are 'a_b'"),
    ],
)
def test_a_broken_message_is_refused_with_what_was_expected(payload: bytes, said: str) -> None:
    assert said in refusal(payload)


def test_a_value_that_is_no_finite_number_is_skipped() -> None:
    payload = b'{"a":NaN,"b":-Infinity,"c":1e999,"d":1e-999,"e":null,"f":true,"g":"x","h":1e3}'
    (reading,), skipped = EVERY.read("tele/x/SENSOR", payload)
    assert (reading.type, reading.value, skipped) == ("h", 1000, 7)


@pytest.mark.parametrize(
    "text", ["nan", "inf", "1_0", "0x1f", "1e999", "on ", "--1", "9" * 500, "٣"]
)
def test_a_text_that_is_no_finite_number_is_skipped(text: str) -> None:
    assert EVERY.read("x/sensor/y/state", text.encode()) == ([], 1)


@pytest.mark.parametrize(
    ("text", "value"), [("21", 21), (" 21.50 ", 21.5), ("-.5", -0.5), ("+1e2", 100), ("007", 7)]
)
def test_a_text_that_is_a_number_is_taken(text: str, value: float) -> None:
    (reading,), _ = EVERY.read("x/sensor/y/state", text.encode())
    assert reading.value == value


def test_a_name_that_breaks_the_rule_of_labels_is_made_to_fit() -> None:
    payload = b'{"a/b":1,"$c":2,"d\\\\":3,"":4,"e\\u0007":5,"km/h #1":6}'
    assert types(payload) == ["a_b", "_c", "d_", "_", "e_", "km_h _1"]
    assert types(json.dumps({"x" * 100: 1}).encode()) == ["x" * 64]
    assert "two are" in refusal(json.dumps({"x" * 100: 1, "x" * 101: 2}).encode())


@pytest.mark.parametrize("topic", TOPICS)
@pytest.mark.parametrize(
    "payload",
    [
        b"[" * MOST,
        b'{"a":' * (MOST // 5),
        b'{"a":' * 900 + b"1" + b"}" * 900,
        b"[" + b"[]," * (MOST // 3) + b"1]",
        b'{"params":{"ts":' + b"9" * MOST + b"}}",
        b"9" * MOST,
        b'{"a":0.' + b"1" * MOST + b"}",
        b'{"' + b"k" * MOST + b'":1}',
        b'{"' + b"k" * (MOST // 2) + b'":[' + b"0," * (MOST // 4) + b"0]}",
        b'{"a":[' + b"0," * (MOST // 2) + b"0]}",
        b'{"params":5,"uplink_message":{"rx_metadata":[{"rssi":"x"},{"rssi":1}]}}',
    ],
    ids=lambda payload: payload[:12].decode(),
)
def test_a_hostile_message_is_refused_or_read(topic: str, payload: bytes) -> None:
    try:
        extract = read(topic, payload)
    except Unreadable:
        return
    assert len(extract.readings) <= 1000


def test_too_many_values_and_too_deep_ones_are_refused() -> None:
    assert len(types(json.dumps({"a": [0] * 1000}).encode())) == 1000
    assert "at most 1000 values in one message" in refusal(json.dumps({"a": [0] * 1001}).encode())
    assert types(b'{"a":' * 16 + b"1" + b"}" * 16)
    assert "at most 16 levels" in refusal(b'{"a":' * 17 + b"1" + b"}" * 17)


json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
    lambda child: st.lists(child) | st.dictionaries(st.text(), child),
)


@given(st.sampled_from(TOPICS), json_values | st.dictionaries(st.text(), json_values))
def test_whatever_is_read_can_be_kept(topic: str, document: object) -> None:
    try:
        readings, _ = read(topic, json.dumps(document).encode())
    except Unreadable:
        return
    for reading in readings:
        assert isinstance(reading.sensor_id, str)
        assert label_fault(reading.sensor_id) is label_fault(reading.type) is None
        draft(reading)
