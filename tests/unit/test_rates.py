"""How much each sender may do in a second."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.access import rates
from collector.access.rates import Rates


class Clock:
    """A clock that stands still until it is set."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_burst_passes_and_then_one_at_a_time() -> None:
    clock = Clock()
    limited = Rates(1, 9, clock)
    for _ in range(10):
        assert limited.wait_s("a") == 0
        limited.spend("a")
    assert limited.wait_s("a") == 1
    assert limited.wait_s("b") == 0
    clock.now += 1
    assert limited.wait_s("a") == 0
    limited.spend("a")
    assert limited.wait_s("a") == 1


def test_a_batch_of_any_size_passes_and_is_paid_for_afterwards() -> None:
    clock = Clock()
    limited = Rates(100, 10, clock)
    limited.spend("a", 10_000)
    assert limited.wait_s("a") == 90
    clock.now += 89.5
    assert limited.wait_s("a") == 1
    clock.now += 0.5
    assert limited.wait_s("a") == 0


def test_nothing_is_saved_up_beyond_the_burst() -> None:
    clock = Clock()
    limited = Rates(1, 9, clock)
    limited.spend("a")
    clock.now += 100_000
    limited.spend("a", 11)
    assert limited.wait_s("a") == 2


def test_who_has_been_idle_for_the_longest_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rates, "_MAX_KNOWN", 3)
    limited = Rates(1, 0, Clock())
    for sender in ("a", "b", "c", "a", "d"):
        limited.spend(sender)
    assert [limited.wait_s(sender) for sender in "abcd"] == [2, 0, 1, 1]


@given(
    st.floats(0.1, 1000),
    st.lists(st.tuples(st.floats(0, 5), st.integers(1, 100)), min_size=1, max_size=50),
)
def test_in_the_long_run_no_more_passes_than_the_rate_and_the_wait_is_true(
    per_s: float, attempts: list[tuple[float, int]]
) -> None:
    clock = Clock()
    limited, passed = Rates(per_s, 10, clock), 0
    for pause_s, count in attempts:
        clock.now += pause_s
        if wait_s := limited.wait_s("a"):
            clock.now += wait_s
            assert limited.wait_s("a") == 0
        limited.spend("a", count)
        passed += count
    elapsed = clock.now - 1000
    assert passed <= (elapsed + 10) * per_s + 100 + 1e-3 * passed
