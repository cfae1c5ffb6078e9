"""How many series each sender may begin."""

from typing import NamedTuple

import pytest

from collector.access.series import SeriesLimit, TooManySeries


class Reading(NamedTuple):
    series: str


def readings(*names: str) -> list[Reading]:
    return [Reading(name) for name in names]


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_each_sender_may_begin_so_many_and_no_more() -> None:
    limit = SeriesLimit(2, set())
    limit.claim("a", readings("1/t", "2/t", "1/t"))
    with pytest.raises(TooManySeries, match=r"sensor_id '3' with type 't'.*2 \(MAX_SERIES\)"):
        limit.claim("a", readings("1/t", "3/t"))
    limit.claim("a", readings("1/t", "2/t"))
    limit.claim("b", readings("3/t"))
    limit.claim("a", readings("3/t"))  # it is no longer new


def test_of_a_batch_with_too_many_none_is_counted() -> None:
    limit = SeriesLimit(2, set())
    limit.claim("a", readings("1/t"))
    with pytest.raises(TooManySeries):
        limit.claim("a", readings("2/t", "3/t"))
    limit.claim("a", readings("3/t"))
    with pytest.raises(TooManySeries):
        limit.claim("a", readings("2/t"))


def test_what_the_outbox_knows_is_never_refused_and_counts_once_it_is_sent() -> None:
    limit = SeriesLimit(2, {"1/t", "2/t", "3/t"})
    limit.claim("b", readings("9/t"))
    limit.claim("a", readings("1/t", "2/t", "3/t"))
    with pytest.raises(TooManySeries):
        limit.claim("a", readings("4/t"))


def test_what_the_outbox_has_forgotten_makes_room() -> None:
    clock, known = Clock(), {"1/t", "2/t"}
    limit = SeriesLimit(2, known, clock)
    limit.claim("a", readings("1/t", "2/t"))
    known.remove("1/t")
    with pytest.raises(TooManySeries):
        limit.claim("a", readings("3/t"))
    clock.now = 61
    limit.claim("a", readings("3/t"))
    with pytest.raises(TooManySeries):
        limit.claim("a", readings("4/t"))
