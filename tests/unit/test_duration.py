"""Durations that the commands take and propose."""

import time

import pytest

from collector.commands.duration import duration_s, duration_since


@pytest.mark.parametrize(
    ("hours", "proposed"), [(-1, "1h"), (0, "1h"), (0.9, "2h"), (70, "71h"), (71, "3d")]
)
def test_a_proposed_duration_reaches_back_far_enough(hours: float, proposed: str) -> None:
    assert duration_since(time.time() - hours * 3600) == proposed


@pytest.mark.parametrize("hours", [0.1, 5, 100, 1000])
def test_what_is_proposed_can_be_typed(hours: float) -> None:
    assert duration_s(duration_since(time.time() - hours * 3600)) > hours * 3600
