"""What the publisher sends, where, in which order, and when."""

from collections.abc import Iterator
from itertools import pairwise

import pytest

from tests.unit.publisher_model import WINDOWS, Road


@pytest.fixture
def road() -> Iterator[Road]:
    """Give a road on which everything works."""
    road = Road()
    road.connect()
    road.say("storing")
    yield road
    road.heal()
    road.close()


def sent(road: Road, root: str) -> list[int]:
    """Return the numbers sent to readings/… or replay/…, in their order."""
    return [number for where, number, _ in road.sent if where == root]


def test_a_reading_goes_out_live_at_once(road: Road) -> None:
    road.append(1, 2)
    assert road.sent == [("readings", 1, False), ("readings", 2, True)]
    road.puback()
    assert road.outbox.pending == 2
    road.store()
    assert (road.outbox.pending, road.outbox.stored) == (0, 2)


def test_only_the_newest_of_a_series_is_retained(road: Road) -> None:
    for ns in (5, 4, 5, 6):
        road.append(ns)
    road.append(1, topic="2/t")
    assert [retain for _, _, retain in road.sent] == [True, False, True, True, True]


def test_what_is_newest_is_known_after_a_restart(road: Road) -> None:
    road.append(5)
    road.puback()
    road.disconnect()
    road.append(3)
    road.append(7)
    road.restart()
    road.connect()
    assert road.sent[1:] == [("readings", 2, False), ("readings", 3, True)]


def test_after_a_restart_what_was_never_published_goes_live_and_the_rest_is_replayed(
    road: Road,
) -> None:
    road.append(1, 2)
    road.puback()
    road.lose()
    road.disconnect()
    road.append(3, 4)
    road.restart()
    road.connect()
    assert sent(road, "readings") == [1, 2, 3, 4]
    assert sent(road, "replay") == []
    road.say("storing")
    road.puback()
    road.store()
    road.heal()
    assert sent(road, "readings") == [1, 2, 3, 4]
    assert set(sent(road, "replay")) >= {1, 2}


def test_a_receipt_for_something_later_shows_what_is_lost(road: Road) -> None:
    road.append(1, 2)
    road.puback()
    road.lose()
    road.append(3)
    road.puback()
    assert sent(road, "replay") == []
    road.store()
    assert sent(road, "replay") == [1, 2]


def test_silence_while_the_bridge_stores_shows_what_is_lost(road: Road) -> None:
    road.append(1)
    road.puback()
    road.lose()
    for _ in range(5):
        road.say("storing")
        road.tick()
    assert sent(road, "replay") == []
    road.tick()
    assert sent(road, "replay") == [1]


def test_patience_doubles_while_nothing_comes_back(road: Road) -> None:
    road.append(1)
    replayed_at = []
    for second in range(200):
        before = len(sent(road, "replay"))
        road.say("storing")
        road.puback()
        road.lose()
        road.tick()
        if len(sent(road, "replay")) > before:
            replayed_at.append(second)
    gaps = [b - a for a, b in pairwise(replayed_at)]
    assert gaps == sorted(gaps)
    assert len(gaps) <= 6
    assert max(gaps) <= 61


@pytest.mark.parametrize("state", ["waiting", "offline"])
def test_nothing_is_replayed_while_the_bridge_does_not_store(road: Road, state: str) -> None:
    road.append(1, 2)
    road.puback()
    road.lose()
    road.say(state)
    for _ in range(100):
        road.append(0)
        road.puback()
        road.tick()
    assert sent(road, "replay") == []
    assert len(sent(road, "readings")) == 102  # live consumers go on receiving


def test_a_bridge_that_falls_silent_is_taken_for_gone(road: Road) -> None:
    road.tick(6)
    assert road.publisher.storing
    road.tick(1)
    assert not road.publisher.storing


def test_a_retained_status_says_nothing_of_now(road: Road) -> None:
    road.say("waiting")
    road.say("storing", retained=True)
    assert not road.publisher.storing


def test_the_broker_is_given_no_more_than_the_window(road: Road) -> None:
    road.append(*range(50))
    assert len(road.sent) == WINDOWS["UNACKNOWLEDGED"]
    road.puback(2)
    assert len(road.sent) == WINDOWS["UNACKNOWLEDGED"] + 2
    for _ in range(50):
        road.puback()
    assert len(road.sent) == WINDOWS["ON_THE_WAY"]  # no receipt yet
    road.store(3)
    road.puback()
    assert len(road.sent) == WINDOWS["ON_THE_WAY"] + 3


def test_live_readings_go_before_a_backlog(road: Road) -> None:
    road.disconnect()
    road.append(*range(40))
    road.connect()
    road.puback()
    road.say("storing")
    road.append(99)  # number 41
    road.puback(3)
    assert sent(road, "readings").index(41) < 20


def test_what_is_committed_without_a_broker_goes_live_in_order(road: Road) -> None:
    road.disconnect()
    for ns in range(10):
        road.append(ns)
    assert road.sent == []
    road.heal()
    assert sent(road, "readings") == list(range(1, 11))
    assert sent(road, "replay") == []


def test_refused_readings_are_settled_with_their_reasons(road: Road) -> None:
    road.append(1, 2, 3)
    road.puback()
    road.store(refuse=2)
    assert (road.outbox.stored, road.outbox.rejected, road.outbox.pending) == (1, 2, 0)
    assert road.outbox.reasons(1, 3) == [(1, "too old"), (2, "too old")]
