"""What the publisher sends, on which topics, in which order, and when."""

import time
from collections.abc import Iterator
from itertools import pairwise

import pytest

from collector.outbox.removal import discard_rejected
from telemetry.receipt import Receipt
from tests.unit.publisher_model import LIMITS, PublisherRig


@pytest.fixture
def rig() -> Iterator[PublisherRig]:
    rig = PublisherRig()
    rig.connect()
    rig.say("storing")
    yield rig
    rig.heal()
    rig.close()


def sent(rig: PublisherRig, root: str) -> list[int]:
    """Return the sequence numbers sent below readings/ or replay/, in order."""
    return [number for where, number, _ in rig.sent if where == root]


def test_a_reading_is_published_at_once(rig: PublisherRig) -> None:
    rig.append(1, 2)
    assert rig.sent == [("readings", 1, False), ("readings", 2, True)]
    rig.puback()
    assert rig.outbox.pending == 2
    rig.store()
    assert (rig.outbox.pending, rig.outbox.books.stored) == (0, 2)


def test_only_the_newest_of_a_series_is_retained(rig: PublisherRig) -> None:
    for ns in (5, 4, 5, 6):
        rig.append(ns)
    rig.append(1, series="2/t")
    assert [retain for _, _, retain in rig.sent] == [True, False, True, True, True]


def test_the_newest_of_a_series_is_known_after_a_restart(rig: PublisherRig) -> None:
    rig.append(5)
    rig.puback()
    rig.disconnect()
    rig.append(3)
    rig.append(7)
    rig.restart()
    rig.connect()
    assert rig.sent[1:] == [("readings", 2, False), ("readings", 3, True)]


def test_after_a_restart_unpublished_readings_are_published_and_the_others_replayed(
    rig: PublisherRig,
) -> None:
    rig.append(1, 2)
    rig.puback()
    rig.lose()
    rig.disconnect()
    rig.append(3, 4)
    rig.restart()
    rig.connect()
    assert sent(rig, "readings") == [1, 2, 3, 4]
    assert sent(rig, "replay") == []
    rig.say("storing")
    rig.puback()
    rig.store()
    rig.heal()
    assert sent(rig, "readings") == [1, 2, 3, 4]
    assert set(sent(rig, "replay")) >= {1, 2}


def test_a_receipt_for_a_later_reading_shows_what_is_lost(rig: PublisherRig) -> None:
    rig.append(1, 2)
    rig.puback()
    rig.lose()
    rig.append(3)
    rig.puback()
    assert sent(rig, "replay") == []
    rig.store()
    assert sent(rig, "replay") == [1, 2]


def test_silence_while_the_bridge_is_storing_shows_what_is_lost(rig: PublisherRig) -> None:
    rig.append(1)
    rig.puback()
    rig.lose()
    for _ in range(5):
        rig.say("storing")
        rig.tick()
    assert sent(rig, "replay") == []
    rig.tick()
    assert sent(rig, "replay") == [1]


def test_patience_doubles_while_no_receipt_arrives(rig: PublisherRig) -> None:
    rig.append(1)
    replayed_at = []
    for second in range(200):
        before = len(sent(rig, "replay"))
        rig.say("storing")
        rig.puback()
        rig.lose()
        rig.tick()
        if len(sent(rig, "replay")) > before:
            replayed_at.append(second)
    gaps = [b - a for a, b in pairwise(replayed_at)]
    assert gaps == sorted(gaps)
    assert len(gaps) <= 6
    assert max(gaps) <= 61


@pytest.mark.parametrize("state", ["waiting", "offline"])
def test_nothing_is_replayed_while_the_bridge_is_not_storing(rig: PublisherRig, state: str) -> None:
    rig.append(1, 2)
    rig.puback()
    rig.lose()
    rig.say(state)
    for _ in range(100):
        rig.append(0)
        rig.puback()
        rig.tick()
    assert sent(rig, "replay") == []
    assert len(sent(rig, "readings")) == 102  # live consumers go on receiving


def test_a_bridge_without_a_recent_status_is_not_storing(rig: PublisherRig) -> None:
    rig.tick(6)
    assert rig.publisher.storing
    rig.tick(1)
    assert not rig.publisher.storing


def test_it_replays_while_any_bridge_is_storing(rig: PublisherRig) -> None:
    rig.append(1)
    rig.puback()
    rig.lose()
    for _ in range(7):
        rig.say("waiting", bridge="other")
        rig.say("storing")
        rig.tick()
    assert sent(rig, "replay") == [1]
    rig.say("waiting")
    assert not rig.publisher.storing


def test_a_refusing_bridge_answers_replays_too(rig: PublisherRig) -> None:
    rig.say("refusing")
    assert rig.publisher.storing


def test_a_correction_is_sent_again_after_the_replay_of_what_it_corrects(rig: PublisherRig) -> None:
    rig.append(5)  # number 1
    rig.puback()
    rig.lose()
    rig.append(5)  # number 2, the same point
    rig.puback()
    rig.store()
    assert sent(rig, "replay") == [1, 2]
    assert rig.outbox.pending == 2, "until both have a receipt again"
    rig.puback()
    rig.store()
    assert rig.outbox.pending == 0
    rig.check_points()


def test_a_receipt_of_another_run_settles_nothing(rig: PublisherRig) -> None:
    rig.append(1)
    rig.puback()
    rig.publisher.on_receipt(Receipt([(1, 1)], run="00000000"))
    rig.publisher.on_receipt(Receipt([(1, 1)]))
    assert rig.outbox.pending == 1


def test_one_timestamp_ahead_of_the_clock_does_not_stop_retaining(rig: PublisherRig) -> None:
    now = time.time_ns()
    rig.append(now + 10 * 365 * 86_400 * 10**9)
    rig.append(now + 5 * 10**9)
    assert [retain for _, _, retain in rig.sent] == [True, True]
    rig.append(now)
    assert not rig.sent[-1][2], "but an older one is not retained"


def test_no_more_is_sent_than_the_limits_allow(rig: PublisherRig) -> None:
    rig.append(*range(50))
    assert len(rig.sent) == LIMITS["MAX_UNACKNOWLEDGED"]
    rig.puback(2)
    assert len(rig.sent) == LIMITS["MAX_UNACKNOWLEDGED"] + 2
    for _ in range(50):
        rig.puback()
    assert len(rig.sent) == LIMITS["MAX_IN_FLIGHT"]  # no receipt yet
    rig.store(3)
    rig.puback()
    assert len(rig.sent) == LIMITS["MAX_IN_FLIGHT"] + 3


def test_new_readings_go_before_a_backlog(rig: PublisherRig) -> None:
    rig.disconnect()
    rig.append(*range(40))
    rig.connect()
    rig.puback()
    rig.say("storing")
    rig.append(99)  # number 41
    rig.puback(3)
    assert sent(rig, "readings").index(41) < 20


def test_what_is_committed_without_a_broker_is_published_in_order(rig: PublisherRig) -> None:
    rig.disconnect()
    for ns in range(10):
        rig.append(ns)
    assert rig.sent == []
    rig.heal()
    assert sent(rig, "readings") == list(range(1, 11))
    assert sent(rig, "replay") == []


def test_rejected_readings_are_settled_with_their_reasons(rig: PublisherRig) -> None:
    rig.append(1, 2, 3)
    rig.puback()
    rig.store(reject=2)
    books = rig.outbox.books
    assert (books.stored, books.rejected, books.pending) == (1, 2, 0)
    assert rig.outbox.reasons(1, 3) == [(1, "too old"), (2, "too old")]


def test_a_correction_that_was_rejected_and_discarded_corrects_nothing(rig: PublisherRig) -> None:
    rig.append(5)  # number 1
    rig.puback()
    rig.lose()
    rig.append(5)  # number 2, the same point
    rig.puback()
    rig.store(reject=1)
    rig.outbox.commit()
    discard_rejected(rig.outbox.path)
    rig.outbox.commit()
    rig.lose()
    rig.judged.clear()
    rig.heal()
    assert sent(rig, "replay")[-1] == 1
    assert rig.outbox.books.stored == 1
    assert rig.held == {("1/t", 5): 1}
