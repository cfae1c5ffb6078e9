"""What `watch` knows of the series, and the table that it draws."""

import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from collector.watch import newest
from collector.watch.newest import NewestReadings, Row
from collector.watch.table import draw
from telemetry import timestamp
from telemetry.mqtt import Message

S = 1_000_000_000
NOON = timestamp.parse("2026-11-25T12:00:00Z")


class Clock:
    """Nanoseconds, set by the test."""

    ns = NOON

    def __call__(self) -> int:
        return self.ns


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def readings(clock: Clock) -> NewestReadings:
    return NewestReadings(clock)


def message(topic: str, *, retain: bool = False, **fields: object) -> Message:
    """Return a collector's message, its fields replaced by these."""
    sensor_id, _, type_ = topic.partition("/")
    named = {"id": "a.b:1", "ts": "2026-11-25T12:00:00Z", "type": type_, "sensor_id": sensor_id}
    payload = json.dumps({**named, **fields}).encode()
    return Message(f"readings/{topic}", payload, 0, 0, retain, 1)


def at(topic: str, value: float, seconds: float, *, retain: bool = False) -> Message:
    """Return a reading taken `seconds` after noon."""
    ts = timestamp.render(NOON + round(seconds * S))
    return message(topic, retain=retain, ts=ts, value=value)


def drawn(readings: NewestReadings, notice: str = "") -> list[str]:
    """Return the lines as a terminal gets them."""
    file = io.StringIO()
    console = Console(file=file, width=80, force_terminal=True, color_system="standard")
    console.print(draw(readings, 20, notice))
    return file.getvalue().splitlines()


def plain(readings: NewestReadings, limit: int = 20, width: int = 80) -> list[str]:
    file = io.StringIO()
    Console(file=file, width=width, force_terminal=False).print(draw(readings, limit, ""))
    return file.getvalue().splitlines()


def test_the_newest_reading_of_each_series_is_shown(clock: Clock, readings: NewestReadings) -> None:
    for one in (at("7/temp", 20, 0), at("7/temp", 21.5, 2), at("7/hum", 50, 1)):
        readings.take(one)
    clock.ns = NOON + 4 * S
    assert readings.rows(10) == [Row("7", "hum", 50, 3, 0.25), Row("7", "temp", 21.5, 2, 0.5)]


def test_a_reading_that_comes_late_is_counted_but_not_shown(
    clock: Clock, readings: NewestReadings
) -> None:
    readings.take(at("7/temp", 21, 0))
    readings.take(at("7/temp", 20, -60))
    clock.ns = NOON + S
    assert readings.rows(10) == [Row("7", "temp", 21, 1, 2)]


def test_a_timestamp_ahead_of_the_clock_does_not_stay(
    clock: Clock, readings: NewestReadings
) -> None:
    readings.take(at("7/temp", 99, 3600))
    clock.ns = NOON + S
    readings.take(at("7/temp", 20, 1))
    assert readings.rows(10)[0].value == 20


def test_retained_readings_have_an_age_and_no_rate(readings: NewestReadings) -> None:
    readings.take(at("7/temp", 20, -90, retain=True))
    assert readings.rows(10) == [Row("7", "temp", 20, 90, 0)]


@pytest.mark.parametrize("payload", [b"", b'{"value":3}', b'{"value":"3"}'])
def test_a_clearing_and_what_a_device_publishes_are_nothing_to_show(
    readings: NewestReadings, payload: bytes
) -> None:
    readings.take(Message("readings/8/temp", payload, 0, 0, False, 1))
    assert plain(readings)[-1] == "0 series"


def test_the_rate_is_over_the_last_ten_periods(clock: Clock, readings: NewestReadings) -> None:
    for second in range(60):
        clock.ns = NOON + second * S
        if second:
            readings.begin_period()
        for _ in range(5 if second < 40 else 2):
            readings.take(at("7/temp", 1, second))
        rate = readings.rows(1)[0].rate
        if 10 < second < 40:
            assert 5 <= rate <= 6  # the last second has just begun
        if second > 50:
            assert 2 <= rate <= 2.5
    for _ in range(10):
        clock.ns += S
        readings.begin_period()
    assert readings.rows(1)[0].rate == 0


def test_rows_are_sorted_with_numbers_by_their_value(readings: NewestReadings) -> None:
    for topic in ("b/t", "10/t", "9/u", "a/t", "9/t", "²/t"):
        readings.take(at(topic, 1, 0))
    names = [f"{row.sensor_id}/{row.type}" for row in readings.rows(10)]
    assert names == ["9/t", "9/u", "10/t", "a/t", "b/t", "²/t"]


def test_of_too_many_series_those_that_changed_last_are_shown(readings: NewestReadings) -> None:
    for number in (1, 2, 3, 4, 1):
        readings.take(at(f"{number}/t", 1, 0))
    assert [row.sensor_id for row in readings.rows(2)] == ["1", "4"]
    assert readings.rows(0) == readings.rows(-1) == []
    assert plain(readings, 2)[-1] == "… and 2 more · 4 series"


def test_no_more_than_ten_thousand_series_are_held(
    monkeypatch: pytest.MonkeyPatch, readings: NewestReadings
) -> None:
    assert newest.MAX_SERIES == 10_000
    monkeypatch.setattr(newest, "MAX_SERIES", 3)
    for number in (1, 2, 3, 1, 4, 5):
        readings.take(at(f"{number}/t", 1, 0))
    assert [row.sensor_id for row in readings.rows(10)] == ["1", "4", "5"]


@pytest.mark.parametrize(
    "one",
    [
        Message("readings/7/temp", b"\x1b[2J", 0, 0, False, 1),
        Message("readings/7/temp", b'{"id":"a.b:1","id":"a.b:1"}', 0, 0, False, 1),
        message("7/temp", value=float("inf")),
        message("7", value=1),
        message("\x1b[2J/temp", value=1),
        message("7/te\u202emp", value=1),
        message("7/temp", value=1, id="abc"),
        message("7/temp", value=1, sensor_id=8),
        message("7/temp", value=1, type="hum"),
        message("7/temp", value=1, ts="yesterday"),
        message("7/temp", value="\x1b[2J"),
    ],
)
def test_what_is_unreadable_is_counted_and_not_shown(
    readings: NewestReadings, one: Message
) -> None:
    readings.take(one)
    assert readings.rows(10) == []
    assert plain(readings)[-1] == "0 series · unreadable: 1"


@given(st.text(max_size=10), st.text(max_size=10), st.floats() | st.integers())
def test_whatever_is_shown_is_printable_and_no_markup(
    sensor: str, type_: str, value: float
) -> None:
    readings = NewestReadings()
    readings.take(message(f"{sensor}/{type_}", value=value))
    lines = plain(readings)
    assert len(lines) == 2 + len(readings)
    assert all(line.isprintable() for line in lines)
    if len(readings):
        assert lines[1].startswith(f"{sensor} ")


def test_names_are_not_markup(readings: NewestReadings) -> None:
    readings.take(at("[red]x[-red]/[link=http:x]", 1, 0))
    (_, line, _) = drawn(readings)
    assert "[red]x[-red]" in line
    assert "[link=http:x]" in line
    assert "\x1b" not in line


@pytest.mark.parametrize("width", [20, 40, 80])
def test_long_and_wide_names_keep_to_one_line(readings: NewestReadings, width: int) -> None:
    readings.take(at(f"{'x' * 64}/{'温' * 64}", 12.5, 0))
    lines = plain(readings, width=width)
    assert len(lines) == 3
    assert "…" in lines[1]
    if width > 20:
        assert lines[1].startswith("xxx")
        assert "12.5" in lines[1]


@pytest.mark.parametrize(
    ("seconds", "age"),
    [
        (0, "0.0 s"),
        (59.9, "59.9 s"),
        (90, "1.5 min"),
        (5400, "1.5 h"),
        (36 * 3600, "1.5 d"),
        (-5, "-5.0 s"),
    ],
)
def test_ages(readings: NewestReadings, seconds: float, age: str) -> None:
    readings.take(at("7/temp", 1, -seconds))
    assert f"  {age}  " in plain(readings)[1]


@pytest.mark.parametrize(
    ("value", "shown"),
    [(21, "21"), (21.5, "21.5"), (-0.25, "-0.25"), (10**300, "1e+300"), (1 / 3, "0.333333333333")],
)
def test_values(readings: NewestReadings, value: float, shown: str) -> None:
    readings.take(at("7/temp", value, 0))
    assert f" {shown} " in plain(readings)[1]


def test_the_notice_comes_first_in_the_footer(readings: NewestReadings) -> None:
    assert (
        "waiting for the broker · 0 series" in drawn(readings, notice="waiting for the broker")[1]
    )


def test_control_a_reading_as_the_collector_publishes_it_is_readable(
    readings: NewestReadings,
) -> None:
    payload = (
        b'{"id":"ab4b6b3e5cfd.0d5f1c2a:41","ts":"2026-11-25T12:00:00.5Z","type":"temp",'
        b'"value":21.5,"sensor_id":7}'
    )
    for topic in ("readings/7/temp", "readings/8/temp"):
        readings.take(Message(topic, payload, 0, 0, False, 1))
    assert [(row.sensor_id, row.value, row.age_s) for row in readings.rows(2)] == [
        ("7", 21.5, -0.5)
    ]
    assert readings.unreadable == 1
