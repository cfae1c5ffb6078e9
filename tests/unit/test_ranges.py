"""Ranges against a plain set of integers."""

from itertools import groupby

from hypothesis import given
from hypothesis import strategies as st

from telemetry.ranges import Ranges, collapse

NUMBERS = st.integers(0, 60)
SPANS = st.tuples(NUMBERS, NUMBERS).map(lambda ends: (min(ends), max(ends)))
OPERATIONS = st.lists(st.tuples(st.sampled_from(["add", "remove"]), SPANS), max_size=30)


def members(first: int, last: int) -> set[int]:
    return set(range(first, last + 1))


def as_ranges(numbers: set[int]) -> list[tuple[int, int]]:
    """Return the shortest list of ranges, calculated in another way than by Ranges."""
    groups = groupby(enumerate(sorted(numbers)), lambda item: item[1] - item[0])
    runs = [[number for _, number in group] for _, group in groups]
    return [(run[0], run[-1]) for run in runs]


@given(OPERATIONS, SPANS)
def test_ranges_are_a_set(
    operations: list[tuple[str, tuple[int, int]]], window: tuple[int, int]
) -> None:
    ranges, model = Ranges(), set[int]()
    for name, (first, last) in operations:
        if name == "add":
            model |= members(first, last)
            assert ranges.add(first, last) == ranges.around(first) == ranges.around(last)
        else:
            model -= members(first, last)
            ranges.remove(first, last)
        assert list(ranges) == as_ranges(model)
        assert len(ranges) == len(model)

    first, last = window
    assert list(ranges.within(first, last)) == as_ranges(model & members(first, last))
    assert list(ranges.gaps(first, last)) == as_ranges(members(first, last) - model)
    assert [n for n in range(-1, 62) if n in ranges] == sorted(model)
    for number in model:
        whole = ranges.around(number)
        assert whole in as_ranges(model)
        assert number in members(*whole)


@given(st.lists(SPANS, max_size=10))
def test_ranges_can_be_built_in_any_order(spans: list[tuple[int, int]]) -> None:
    assert list(Ranges(spans)) == as_ranges({n for span in spans for n in members(*span)})


@given(st.lists(st.integers(-(2**63), 2**63)))
def test_collapse_is_the_shortest_list_of_ranges(numbers: list[int]) -> None:
    assert collapse(numbers) == as_ranges(set(numbers))


def test_a_cleared_set_is_empty_and_accepts_new_members() -> None:
    ranges = Ranges([(1, 5), (7, 9)])
    ranges.clear()
    assert (len(ranges), list(ranges), 3 in ranges) == (0, [], False)
    assert ranges.add(3, 4) == (3, 4)


def test_the_gap_around_no_member_is_the_whole_window() -> None:
    assert list(Ranges([(5, 6)]).gaps(8, 9)) == [(8, 9)]
    assert list(Ranges([(5, 6)]).gaps(5, 6)) == []
    assert list(Ranges([(5, 6)]).gaps(9, 8)) == []
