"""Whose receipts are timed; what is in flight is tested with the publisher."""

import pytest

from collector.publishing.in_flight import InFlight
from telemetry.ranges import Ranges
from telemetry.receipt import Receipt


@pytest.fixture
def in_flight() -> InFlight:
    return InFlight(Ranges())


def burst(in_flight: InFlight, first: int, last: int) -> None:
    for seq in range(first, last + 1):
        in_flight.add(seq, storing=True)
    in_flight.time_last()


def timed(in_flight: InFlight) -> int:
    return sum(in_flight.receipt_times.counts)


def test_the_last_reading_of_each_burst_is_timed(in_flight: InFlight) -> None:
    burst(in_flight, 1, 5)
    burst(in_flight, 6, 6)
    in_flight.settle(Receipt([(1, 4)]))
    assert timed(in_flight) == 0
    in_flight.settle(Receipt([(5, 6)]))
    assert timed(in_flight) == 2
    in_flight.settle(Receipt([(5, 6)]))
    assert timed(in_flight) == 2


def test_what_is_lost_is_not_timed(in_flight: InFlight) -> None:
    burst(in_flight, 1, 1)
    in_flight.lose_all()
    burst(in_flight, 2, 2)
    in_flight.make_uncertain()
    burst(in_flight, 3, 3)
    in_flight.drop(3, 3)
    in_flight.settle(Receipt([(1, 3)]))
    assert timed(in_flight) == 0


def test_a_burst_of_nothing_is_not_timed_again(in_flight: InFlight) -> None:
    burst(in_flight, 1, 2)
    in_flight.settle(Receipt([(2, 2)]))
    in_flight.time_last()
    assert timed(in_flight) == 1


def test_the_number_of_timed_readings_is_bounded(in_flight: InFlight) -> None:
    for seq in range(1, 1001):
        burst(in_flight, seq, seq)
    in_flight.settle(Receipt([(1, 1000)]))
    assert timed(in_flight) == 256
