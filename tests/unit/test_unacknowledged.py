"""What the broker had not acknowledged when the connection broke: the outbox sends it again."""

from collections.abc import Iterator

import pytest

from telemetry.receipt import Receipt
from tests.unit.look_rig import LATER, LookRig


@pytest.fixture
def rig(monkeypatch: pytest.MonkeyPatch) -> Iterator[LookRig]:
    rig = LookRig(monkeypatch)
    yield rig
    rig.close()


def test_only_what_was_not_acknowledged_is_sent_again_before_newer_ones(rig: LookRig) -> None:
    rig.connect()
    rig.append(1, 2, 3)
    rig.puback(1)
    rig.disconnect()
    rig.check_places()
    rig.append(4)
    rig.connect()
    assert rig.numbers() == [1, 2, 3, 2, 3, 4]
    assert {root for root, _, _ in rig.sent} == {"readings"}
    rig.heal()
    rig.check_points()


def test_what_consumers_have_had_before_is_replayed(rig: LookRig) -> None:
    rig.connect()
    rig.say("storing")
    rig.append(1)
    rig.puback()
    rig.lose()
    for _ in range(2):  # without a receipt it is taken for lost
        rig.tick(3)
        rig.say("storing")
    assert rig.sent[1:] == [("replay", 1, False)]
    rig.disconnect()
    rig.check_places()
    rig.connect()
    rig.say("storing")
    assert rig.sent[2:] == [("replay", 1, False)]


def test_what_has_a_receipt_is_not_sent_again(rig: LookRig) -> None:
    rig.connect()
    rig.append(1)
    rig.publisher.on_receipt(Receipt([(1, 1)], [], rig.outbox.run))
    rig.disconnect()
    rig.connect()
    assert rig.numbers() == [1]


def test_what_was_corrected_elsewhere_meanwhile_is_not_sent_again(rig: LookRig) -> None:
    rig.connect()
    rig.append(5, 6)
    rig.disconnect()
    rig.at(LATER)
    rig.answer(rig.beside(5), stored=True)
    rig.connect()
    rig.look()
    assert rig.numbers() == [1, 2, 2]
    assert rig.outbox.settlement.is_stored(1)
    rig.check_places()
