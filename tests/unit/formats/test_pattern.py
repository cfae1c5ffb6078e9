"""MQTT filters that are covered by others are left out."""

import pytest

from collector.formats.pattern import without_covered


@pytest.mark.parametrize(
    ("filters", "left"),
    [
        (["a/+", "a/b"], ["a/+"]),
        (["a/b", "a/+"], ["a/+"]),
        (["a/+", "a/+"], ["a/+"]),
        (["a/#", "a/+/c", "a", "b"], ["a/#", "b"]),
        (["a/+", "a/+/c"], ["a/+", "a/+/c"]),
        (["+/b", "a/+"], ["+/b", "a/+"]),
        (["a/+/#", "a/#"], ["a/#"]),
        (["a/+", "a/#", "a/+"], ["a/#"]),
    ],
)
def test_covered_filters_are_left_out(filters: list[str], left: list[str]) -> None:
    assert without_covered(filters) == left
