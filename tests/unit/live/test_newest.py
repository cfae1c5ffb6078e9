"""What of the messages on readings/# the page gets to see."""

import json
from typing import Any

import pytest

from collector.live.newest import AT_ONCE, MAX_SERIES, NewestReadings
from telemetry.timestamp import render
from tests.builders import published

NOW = 1_769_860_800 * 10**9
S = 10**9


@pytest.fixture
def newest() -> NewestReadings:
    return NewestReadings(lambda: NOW)


def message(sensor: str, value: float = 1, ns: int = NOW) -> tuple[bytes, bytes]:
    payload = json.dumps(published(sensor, value, render(ns)))
    return f"readings/{sensor}/temp".encode(), payload.encode()


def changes(newest: NewestReadings) -> list[Any]:
    return [json.loads(reading) for reading in newest.changes()]


def test_a_reading_is_shown_once_with_time_and_value(newest: NewestReadings) -> None:
    newest.put(dict([message("7", 21.5, NOW - S // 2)]))
    assert changes(newest) == [["7", "temp", NOW / 1e6 - 500, 21.5]]
    assert changes(newest) == []
    assert [json.loads(reading) for reading in newest.all()] == [
        ["7", "temp", NOW / 1e6 - 500, 21.5]
    ]


def test_an_older_reading_does_not_replace_a_newer_one(newest: NewestReadings) -> None:
    for value, ns in ((1, NOW), (2, NOW - S), (3, NOW)):
        newest.put(dict([message("7", value, ns)]))
        assert bool(changes(newest)) == (value != 2)


def test_a_time_ahead_of_the_clock_does_not_stay_for_ever(newest: NewestReadings) -> None:
    newest.put(dict([message("7", 1, NOW + 3600 * S)]))
    assert changes(newest) == [["7", "temp", NOW / 1e6, 1]]
    newest.put(dict([message("7", 2)]))
    assert changes(newest) == [["7", "temp", NOW / 1e6, 2]]


def test_more_than_is_shown_at_once_comes_later_with_what_is_newest_then(
    newest: NewestReadings,
) -> None:
    newest.put(dict(message(str(n)) for n in range(AT_ONCE + 1)))
    assert len(changes(newest)) == AT_ONCE
    newest.put(dict([message("0", 2), message(str(AT_ONCE), 3)]))
    assert [(row[0], row[3]) for row in changes(newest)] == [(str(AT_ONCE), 3), ("0", 2)]


def test_the_series_that_changed_last_are_known_and_the_others_counted(
    newest: NewestReadings,
) -> None:
    newest.put(dict(message(str(n)) for n in range(MAX_SERIES)))
    while newest.changes():
        pass
    assert (len(newest), newest.forgotten) == (MAX_SERIES, 0)
    newest.put(dict(message(f"new {n}") for n in range(3)))
    newest.changes()
    assert (len(newest), newest.forgotten) == (MAX_SERIES, 3)
    known = [json.loads(reading)[0] for reading in newest.all()]
    assert (known[0], known[-1]) == ("3", "new 2")


def test_what_waits_is_bounded_too(newest: NewestReadings) -> None:
    newest.put(dict(message(str(n)) for n in range(MAX_SERIES + 5)))
    assert newest.forgotten == 5
    assert changes(newest)[0][0] == "5"


HOSTILE = [
    b"",
    b"21.5",
    b"[" * 100_000,
    b"\xff\xfe",
    b'{"value": 21.5}',
    json.dumps(published("8", 1, "2026-01-31T12:00:00Z")).encode(),
    json.dumps(published("7", 1, "yesterday")).encode(),
    json.dumps({**published("7", 1, "2026-01-31T12:00:00Z"), "x": "<script>"}).encode(),
    json.dumps({**published("7", 1, "2026-01-31T12:00:00Z"), "value": "<b>"}).encode(),
    b'{"id":"a.b:1","ts":"2026-01-31T12:00:00Z","type":"temp","value":1e999,"sensor_id":7}',
    b'{"id":"a.b:1","ts":"2026-01-31T12:00:00Z","type":"temp","value":1%b,"sensor_id":7}'
    % (b"0" * 400),
]


@pytest.mark.parametrize("payload", HOSTILE, ids=lambda payload: payload[:40])
@pytest.mark.parametrize("topic", ["readings/7/temp", "readings/7/\x1b", "readings/x", "readings/"])
def test_what_is_no_reading_is_not_shown(
    newest: NewestReadings, topic: str, payload: bytes
) -> None:
    newest.put({topic.encode(): payload, b"readings/\xff/temp": payload})
    newest.put(dict([message("9")]))
    assert [row[0] for row in changes(newest)] == ["9"]
