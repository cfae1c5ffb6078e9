import json
from datetime import UTC, datetime
from itertools import islice, pairwise
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.patterns import DAY_NS, HIGH, LOW, PATTERNS
from device.readings import (
    SHORTEST_WAIT_S,
    SimulatedSeries,
    create_series,
    decimals_for,
    readings,
    schedule,
    timestamp,
)

SECOND = 10**9
NOON = int(datetime(2026, 11, 22, 12, tzinfo=UTC).timestamp()) * SECOND
TIMES = st.integers(0, 2**63 - 1 - 10**12)


def times(number: int, step: int = SECOND) -> range:
    return range(NOON, NOON + number * step, step)


def parsed(at: range, pattern: str = "uniform", seed: int | None = 1) -> list[dict[str, Any]]:
    series = create_series(range(123, 126), ["temp", "humidity"], pattern, seed, rate=1)
    return [json.loads(reading) for reading in readings(series, iter(at))]


@given(st.sampled_from(sorted(PATTERNS)), st.integers(), st.lists(TIMES, max_size=200))
def test_values_stay_in_range(pattern: str, seed: int, at: list[int]) -> None:
    value = PATTERNS[pattern](Random(seed))
    assert all(LOW <= value(time_ns) <= HIGH for time_ns in at)


def test_uniform_yields_every_integer_from_20_to_34() -> None:
    value = PATTERNS["uniform"](Random(1))
    values = [value(time_ns) for time_ns in times(1000)]
    assert set(values) == set(range(20, 35))
    assert all(isinstance(one, int) for one in values)


def test_walk_has_small_steps_and_uniform_has_large_ones() -> None:
    def longest_step(pattern: str) -> float:
        value = PATTERNS[pattern](Random(1))
        return max(abs(a - b) for a, b in pairwise(value(time_ns) for time_ns in times(1000)))

    assert longest_step("walk") <= 0.51  # rounded to 2 decimals
    assert longest_step("uniform") > 5


@given(st.integers())
def test_sine_is_warm_in_the_afternoon_and_cold_twelve_hours_later(seed: int) -> None:
    value = PATTERNS["sine"](Random(seed))
    assert value(NOON + 3 * 3600 * SECOND) > 32.5
    assert value(NOON + 15 * 3600 * SECOND) < 21.5
    assert abs(value(NOON) - value(NOON + DAY_NS)) <= 0.5


@pytest.mark.parametrize("pattern", sorted(PATTERNS))
def test_only_the_same_seed_reproduces_the_values(pattern: str) -> None:
    first = parsed(times(60), pattern=pattern, seed=7)
    assert first == parsed(times(60), pattern=pattern, seed=7)
    assert first != parsed(times(60), pattern=pattern, seed=8)
    assert parsed(times(60), pattern=pattern, seed=None) != parsed(
        times(60), pattern=pattern, seed=None
    )


def test_the_values_of_a_series_do_not_depend_on_the_other_series() -> None:
    alone = create_series([123], ["temp"], "uniform", 7, 1)[0]
    among = create_series(range(120, 130), ["humidity", "temp"], "uniform", 7, 1)
    twin = next(one for one in among if (one.sensor_id, one.type) == (123, "temp"))
    assert [alone.read(at) for at in times(50)] == [twin.read(at) for at in times(50)]


def test_the_series_take_turns() -> None:
    seen = [(one["sensor_id"], one["type"]) for one in parsed(times(7))]
    assert len(set(seen[:6])) == 6
    assert seen[6] == seen[0]


@given(TIMES, st.sampled_from([0, 3, 6, 9]))
def test_a_timestamp_is_truncated_to_its_decimals(time_ns: int, decimals: int) -> None:
    text = timestamp(time_ns, decimals)
    assert len(text) == len("2026-11-22T12:00:00Z") + (decimals + 1 if decimals else 0)
    seconds, _, fraction = text.removesuffix("Z").partition(".")
    whole = int(datetime.fromisoformat(f"{seconds}+00:00").timestamp())
    step = 10 ** (9 - decimals)
    assert whole * SECOND + int(fraction.ljust(9, "0")) == time_ns // step * step


@given(st.floats(1e-6, 1e9))
def test_a_timestamp_has_no_more_decimals_than_the_rate_needs(rate: float) -> None:
    decimals = decimals_for(1 / rate)
    assert 10.0**-decimals <= 1 / rate or decimals == 9
    if decimals:
        assert 10.0 ** (3 - decimals) > 1 / rate


@given(st.sampled_from([0, 3, 6, 9]), st.lists(TIMES, max_size=50))
def test_no_two_readings_of_a_series_share_a_timestamp(decimals: int, at: list[int]) -> None:
    """Even when the clock is set back."""
    series = SimulatedSeries(123, "temp", lambda _time_ns: 20, decimals)
    written = [json.loads(series.read(time_ns))["ts"] for time_ns in at]
    assert all(a < b for a, b in pairwise(written))


def test_control_timestamps_of_a_fast_series_truncated_to_seconds_are_equal() -> None:
    assert len({timestamp(time_ns, 0) for time_ns in times(10, SECOND // 10)}) == 1


@given(st.floats(0.01, 1e6), st.integers(1, 6))
def test_at_a_steady_rate_the_timestamps_are_the_scheduled_times(rate: float, number: int) -> None:
    """With the right number of decimals, no timestamp has to be moved."""
    period = number / rate
    series = SimulatedSeries(123, "temp", lambda _time_ns: 20, decimals_for(period))
    for index in range(100):
        time_ns = NOON + round(index * period * SECOND)
        assert json.loads(series.read(time_ns))["ts"] == timestamp(time_ns, decimals_for(period))


class Clock:
    """A clock that advances only in `wait`, by the time asked for plus the next of `delays`."""

    def __init__(self, delays: list[float]) -> None:
        self.now = 5 * SECOND
        self.delays = delays
        self.ends_at = float("inf")
        self.set_by = 0

    def wait(self, seconds: float) -> bool:
        if seconds > 0:
            late = self.delays.pop(0) if self.delays else 0
            self.now += round((seconds + late) * SECOND)
        return self.now >= self.ends_at

    def wall(self) -> int:
        return NOON + self.now - 5 * SECOND + self.set_by


@given(st.floats(0.1, 1e6), st.lists(st.floats(0, 3), max_size=20))
def test_times_are_evenly_spaced_however_late_a_wait_returns(
    rate: float, delays: list[float]
) -> None:
    clock = Clock(delays)
    due = schedule(rate, 60, clock.wait, monotonic_ns=lambda: clock.now, wall_ns=clock.wall)
    for index, time_ns in enumerate(due):
        assert abs(time_ns - NOON - index / rate * SECOND) <= 1
        assert clock.wall() >= time_ns - 1, "yielded before its time"
        if not clock.delays and index == 59:
            allowed = (SHORTEST_WAIT_S + max([3.0, *delays])) * SECOND
            assert clock.wall() - time_ns <= allowed


def test_delays_do_not_add_up() -> None:
    """60 waits of one second, each 0.1 s late, would end 6 s late."""
    clock = Clock([0.1] * 60)
    due = schedule(1, 61, clock.wait, monotonic_ns=lambda: clock.now, wall_ns=clock.wall)
    *_, last = due
    assert last == NOON + 60 * SECOND
    assert clock.wall() - last == pytest.approx(0.1 * SECOND, rel=1e-6)


@pytest.mark.parametrize(("set_by", "followed"), [(-3600, True), (3600, True), (0.3, False)])
def test_the_schedule_follows_only_clock_changes_of_a_second_or_more(
    set_by: float,
    followed: bool,
) -> None:
    clock = Clock([])
    due = schedule(1, 3, clock.wait, monotonic_ns=lambda: clock.now, wall_ns=clock.wall)
    assert next(due) == NOON
    clock.set_by = round(set_by * SECOND)
    expected = [NOON + SECOND, NOON + 2 * SECOND]
    assert list(due) == [at + clock.set_by * followed for at in expected]


def test_it_ends_when_stopped() -> None:
    clock = Clock([])
    clock.ends_at = clock.now + 3 * SECOND
    due = schedule(1, None, clock.wait, monotonic_ns=lambda: clock.now, wall_ns=clock.wall)
    assert list(islice(due, 100)) == [NOON, NOON + SECOND, NOON + 2 * SECOND]
