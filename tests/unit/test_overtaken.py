"""Old readings whose corrections, in another outbox, are not stored yet: they stay pending."""

from collections.abc import Iterator

import pytest

from telemetry.receipt import Receipt, Rejection
from tests.unit.look_rig import LATER, LookRig


@pytest.fixture
def rig(monkeypatch: pytest.MonkeyPatch) -> Iterator[LookRig]:
    rig = LookRig(monkeypatch)
    yield rig
    rig.close()


@pytest.mark.parametrize("becomes", ["stored", "rejected"])
def test_what_a_pending_one_corrects_waits_for_its_end(rig: LookRig, becomes: str) -> None:
    rig.append(5, 6)
    rig.at(LATER)
    other = rig.beside(5)
    rig.connect()
    rig.look()
    rig.puback()
    rig.say("storing")
    rig.store()
    assert rig.numbers() == [2], "and holds up nothing"
    for _ in range(2):  # looks again, and finds the same
        rig.rest()
        rig.tick()
        rig.look()
        rig.check_places()
        assert (rig.outbox.pending, rig.publisher.pending) == (1, 1)
        assert rig.outbox.settlement.is_stored(2)
        assert not rig.outbox.settlement.is_stored(1), "InfluxDB has nothing of its point"
    rig.answer(other, stored=becomes == "stored")
    rig.rest()
    rig.tick()
    rig.look()
    assert rig.outbox.settlement.is_stored(1) == (becomes == "stored")
    assert rig.numbers() == ([2] if becomes == "stored" else [2, 1])
    rig.check_places()


@pytest.mark.parametrize("answer", ["stored", "rejected"])
def test_what_waits_for_another_one_may_have_an_answer_itself(rig: LookRig, answer: str) -> None:
    rig.append(5)
    rig.at(LATER)
    rig.beside(5)
    rig.connect()
    rig.look()
    rejected = [Rejection(1, "no")] if answer == "rejected" else []
    rig.publisher.on_receipt(Receipt([(1, 1)] if not rejected else [], rejected, rig.outbox.run))
    assert (rig.outbox.pending, rig.publisher.pending) == (0, 0)


def test_a_new_connection_looks_again_for_what_waits_for_another_one(rig: LookRig) -> None:
    rig.append(5)
    rig.at(LATER)
    other = rig.beside(5)
    rig.connect()
    rig.look()
    rig.disconnect()
    rig.answer(other, stored=False)
    rig.connect()
    rig.look()
    assert rig.numbers() == [1]


@pytest.mark.parametrize("became", ["stored", "rejected"])
def test_a_correction_may_have_left_its_outbox_when_it_is_looked_for_again(
    rig: LookRig, became: str
) -> None:
    rig.append(5)
    rig.at(LATER)
    other = rig.beside(5)
    rig.connect()
    rig.look()
    rig.say("storing")
    rig.answer(other, stored=became == "stored")
    if became == "stored":
        rig.prune(other)
    rig.rest()
    rig.tick()
    rig.look()
    assert rig.numbers() == ([] if became == "stored" else [1])
    assert rig.outbox.settlement.is_stored(1) == (became == "stored")


def test_a_correction_in_an_outbox_that_is_gone_does_not_count_as_stored(rig: LookRig) -> None:
    rig.append(5)
    rig.at(LATER)
    other = rig.beside(5)
    rig.beside(5, series="2/t", number=3)
    rig.connect()
    rig.look()
    rig.say("storing")
    other.path.rename(other.path.with_name("moved"))
    rig.rest()
    rig.tick()
    rig.look()
    assert not rig.outbox.settlement.is_stored(1), "InfluxDB has neither"
    assert rig.numbers() == [1]
