"""Readings that wait beside the others: in which order, for how long, across reconnects."""

import pytest

from bridge.aside import Aside
from bridge.decode import Delivery
from tests.unit.faulty_storage import FaultyStorage
from tests.unit.messages import message, reading_payload


class Clock:
    now = 100.0


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("time.monotonic", lambda: clock.now)
    monkeypatch.setattr("random.uniform", lambda _, most: most)
    return clock


@pytest.fixture
def aside() -> Aside:
    return Aside(FaultyStorage().point)


def delivery(ns: int, mid: int = 1, *, qos: int = 1, epoch: int = 1) -> Delivery:
    arrived = message(reading_payload(ns, seq=mid), mid=mid, epoch=epoch)._replace(qos=qos)
    return Delivery(arrived, FaultyStorage().reading)


def test_the_first_is_tried_after_a_delay_and_each_failure_doubles_it(
    clock: Clock, aside: Aside
) -> None:
    one, two = delivery(1), delivery(2)
    aside.add(one)
    assert aside.due() is None
    clock.now += 0.4
    aside.add(two)
    assert aside.due() is None
    clock.now += 1.1
    assert aside.due() is one, "the second has not postponed it"
    aside.failed(one)
    assert aside.due() is None
    clock.now += 2.5
    assert aside.due() is two, "each point has its turn"
    aside.failed(two)
    clock.now += 2.5
    assert aside.due() is None
    clock.now += 2.5
    assert aside.due() is one
    aside.settled(one)
    assert aside.due() is two, "at once, as the storage is well again"
    aside.settled(two)
    assert (aside.due(), len(aside)) == (None, 0)


def test_the_delay_is_bounded(clock: Clock, aside: Aside) -> None:
    one = delivery(1)
    aside.add(one)
    for _ in range(20):
        aside.failed(one)
    clock.now += 90
    assert aside.due() is one


def test_later_readings_of_its_point_wait_behind_it(clock: Clock, aside: Aside) -> None:
    one, again, other = delivery(1, 1), delivery(1, 2), delivery(3, 3)
    aside.add(one)
    assert aside.without([again, other]) == ([other], [])
    clock.now += 2
    assert aside.due() is one
    aside.settled(one)
    assert aside.due() is again


def test_flooded_at_qos_0_it_holds_the_last_one_of_each_point(aside: Aside) -> None:
    for ns in (1, 2):
        aside.add(delivery(ns, qos=0))
    flood = [delivery(ns, mid, qos=0) for mid in range(2, 50) for ns in (1, 2)]
    others, replaced = aside.without(flood)
    assert (list(others), len(replaced)) == ([], len(flood))
    assert aside.without([delivery(1, 50)])[1] == [], "at QoS 1 it is owed an acknowledgement"
