"""Statuses from the broker: their counters, or unreadable."""

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.decode import counters_record
from telemetry.decode import Unreadable
from tests.unit.messages import message

STATUS_TOPIC = "status/collector/c"


def encode_counters(service: str, instance: str, counters: Mapping[str, int], ns: int) -> str:
    return f"{service} {instance} {counters} {ns}"


def decode_status(payload: str | bytes, topic: str = STATUS_TOPIC) -> str | None:
    return counters_record(message(payload, topic), encode_counters)


def test_the_counters_of_a_status_are_a_record(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bridge.decode.time.time_ns", lambda: 42)
    payload = '{"state":"up","counters":{"pending":3},"unknown":[]}'
    assert decode_status(payload) == "collector c {'pending': 3} 42"


def test_a_status_without_counters_is_no_record() -> None:
    assert decode_status('{"state":"offline"}') is None


@pytest.mark.parametrize(
    "payload",
    [
        "",
        "up",
        "[]",
        "{}",
        '{"state":1}',
        b'{"state":"\xff"}',
        '{"state":"up","counters":{"a":"1"}}',
        '{"state":"up","counters":{"a":1' + "0" * 5000 + "}}",
        '{"state":"up","unknown":' + "[" * 50_000,
    ],
)
def test_a_payload_that_is_not_a_status_is_unreadable(payload: str | bytes) -> None:
    with pytest.raises(Unreadable):
        decode_status(payload)


def test_a_status_on_a_topic_with_other_levels_is_unreadable() -> None:
    with pytest.raises(Unreadable):
        decode_status('{"state":"up","counters":{"a":1}}', "status/collector")


@given(st.binary() | st.text('{}[]":,staeconru01.-e \\', max_size=40).map(str.encode), st.text())
def test_any_message_is_a_status_or_unreadable(payload: bytes, topic: str) -> None:
    for name in (STATUS_TOPIC, topic, f"status/{topic}"):
        try:
            decode_status(payload, name)
        except Unreadable as unreadable:
            assert str(unreadable)  # noqa: PT017  either may happen
