"""Histograms, and the longest of the last seconds."""

import pytest

from telemetry.durations import QUICK_S, SLOW_S, Histogram, Longest


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("telemetry.durations.time", clock)
    return clock


def test_a_duration_counts_in_the_first_bucket_that_it_does_not_exceed() -> None:
    histogram = Histogram((0.1, 1.0))
    for seconds in (0.0, 0.1, 0.1001, 1.0, 7.0):
        histogram.observe(seconds)
    assert histogram.counts == [2, 2, 1]
    assert histogram.sum == pytest.approx(8.2001)


@pytest.mark.parametrize("bounds", [QUICK_S, SLOW_S])
def test_bounds_ascend(bounds: tuple[float, ...]) -> None:
    assert list(bounds) == sorted(set(bounds))


def test_the_longest_is_forgotten_after_the_window(clock: Clock) -> None:
    longest = Longest(2)
    assert longest.milliseconds == 0
    longest.note(0.3)
    clock.now += 1.5
    longest.note(0.1)
    assert longest.milliseconds == 300
    clock.now += 1
    assert longest.milliseconds == 100
    clock.now += 2
    assert longest.milliseconds == 0


def test_what_nobody_asks_for_is_forgotten_too(clock: Clock) -> None:
    longest = Longest(2)
    for tenth in range(1000):  # each shorter than the one before
        clock.now += 0.1
        longest.note(1000 - tenth)
    assert len(longest._noted) <= 21  # noqa: SLF001  that it is bounded shows nowhere else
