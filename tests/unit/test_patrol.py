"""The patrol looks at readings that were verified before the previous look."""

from collector.audit.patrol import Patrol
from collector.outbox.row import Row


def row(seq: int, series: str = "1/t") -> Row:
    return Row(seq, 0, seq, series, b"{}")


def test_a_series_waits_with_the_reading_that_was_verified_first() -> None:
    patrol = Patrol()
    patrol.add([row(1), row(2)])
    patrol.add([row(3)])  # perhaps stored after a loss of 1 and 2
    assert patrol.take(10) == [row(1)]


def test_a_series_that_was_looked_at_waits_again_with_its_latest_reading() -> None:
    patrol = Patrol()
    patrol.add([row(1), row(2, "2/t"), row(3)])
    patrol.put_back(patrol.take(1))
    patrol.add([row(4)])
    assert patrol.take(10) == [row(2, "2/t"), row(3)]


def test_a_series_that_is_missing_waits_no_longer() -> None:
    patrol = Patrol()
    patrol.add([row(1)])
    patrol.take(1)
    assert patrol.take(1) == []
    patrol.put_back([row(1)])
    patrol.clear()
    assert patrol.take(1) == []
