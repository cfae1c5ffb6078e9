"""Old readings that were overtaken through another outbox while they waited."""
# ruff: noqa: SLF001  the rig's event loop and directory

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from collector.outbox.schema import OutboxUnusable
from collector.publishing import look as module
from collector.publishing.look import Overtaken
from tests.unit.look_rig import LATER, LookRig


@pytest.fixture
def rig(monkeypatch: pytest.MonkeyPatch) -> Iterator[LookRig]:
    rig = LookRig(monkeypatch)
    yield rig
    rig.close()


def test_what_was_corrected_elsewhere_is_settled_and_not_sent(rig: LookRig) -> None:
    rig.append(5, 6, 7)
    rig.beside(6, 9, series="2/t")
    rig.at(LATER)
    rig.answer(rig.beside(6, number=3), stored=True)
    rig.connect()
    assert rig.sent == [], "nothing before the look"
    rig.look()
    assert rig.numbers() == [1, 3]
    assert rig.outbox.settlement.is_stored(2)
    rig.check_places()
    rig.append(8)
    assert rig.numbers() == [1, 3, 4]


@pytest.mark.parametrize("why", ["earlier", "same second", "rejected", "another point"])
def test_control_anything_else_is_sent(rig: LookRig, why: str) -> None:
    if why == "earlier":
        rig.beside(5)
        rig.at(LATER)
    rig.append(5)
    if why == "rejected":
        rig.at(LATER)
        rig.answer(rig.beside(5), stored=False)
    elif why != "earlier":
        rig.beside(6 if why == "another point" else 5)
    rig.connect()
    rig.look()
    assert rig.numbers() == [1]


def test_the_retained_reading_is_not_set_back(rig: LookRig) -> None:
    rig.append(5)
    rig.append(5, series="2/t")
    rig.beside(6)
    rig.connect()
    rig.look()
    assert rig.sent == [("readings", 1, False), ("readings", 2, True)]
    rig.append(7)
    assert rig.sent[-1] == ("readings", 3, True)


def test_a_timestamp_ahead_of_the_clock_elsewhere_does_not_stop_retaining(rig: LookRig) -> None:
    rig.append(5)
    rig.beside(time.time_ns() + 10**18)
    rig.connect()
    rig.look()
    rig.append(time.time_ns())
    assert [retain for _, _, retain in rig.sent] == [False, True]


def test_new_readings_do_not_wait_for_the_look(rig: LookRig) -> None:
    rig.append(5)
    rig.beside(1)
    rig.connect()
    rig.append(6)
    assert rig.numbers() == [2]
    rig.look()
    assert rig.numbers() == [2, 1]


def test_what_was_sent_before_a_restart_is_looked_for_too(rig: LookRig) -> None:
    rig.connect()
    rig.append(5, 6)
    rig.puback()
    rig.lose()
    rig.at(LATER)
    rig.answer(rig.beside(5), stored=True)
    rig.restart()
    rig.connect()
    rig.look()
    assert rig.outbox.settlement.is_stored(1)
    rig.heal()
    assert rig.numbers() == [1, 2, 2]


def test_a_long_backlog_goes_as_far_as_was_looked(
    rig: LookRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_ROWS", 2)
    rig.append(1, 2, 3, 4, 5)
    rig.at(LATER)
    rig.answer(rig.beside(2, 5), stored=True)
    seen = []
    pass_over = rig.publisher.look._on_progress

    def note(found: Overtaken) -> None:
        seen.append((rig.publisher.look.until(99), found))
        pass_over(found)

    rig.publisher.look._on_progress = note
    rig.connect()
    rig.look()
    assert seen == [(2, ([(2, 2)], [])), (4, ([], [])), (5, ([], [(5, 5)])), (99, ((), ()))]
    assert rig.numbers() == [1, 3, 4]


def test_a_connection_that_comes_back_begins_a_new_look(rig: LookRig) -> None:
    rig.append(5)
    rig.beside(1)
    rig.connect()
    rig.disconnect()
    rig.append(6)
    rig.at(LATER)
    rig.beside(6, number=3)
    rig.connect()
    rig.look()
    assert rig.numbers() == [1]


@pytest.mark.parametrize("how", ["no outbox", "empty", "a directory"])
def test_one_that_cannot_be_read_holds_up_nothing(rig: LookRig, how: str) -> None:
    path = Path(rig._directory.name, "outbox-2.db")
    path.write_bytes(b"no outbox" * 1000 if how == "no outbox" else b"")
    if how == "a directory":
        path.unlink()
        path.mkdir()
    rig.append(5)
    rig.at(LATER)
    rig.beside(5, number=3)
    rig.append(6)
    rig.connect()
    rig.look()
    assert rig.numbers() == [2]


def test_a_look_that_fails_holds_up_nothing(
    rig: LookRig, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def failing(_: Path) -> None:
        raise OutboxUnusable("too many open files")

    monkeypatch.setattr(module, "open_beside", failing)
    rig.append(5)
    rig.beside(5)
    rig.connect()
    rig.look()
    assert rig.numbers() == [1]
    assert "sent without a look at other outboxes: too many open files" in caplog.text


def test_without_others_there_is_no_look(rig: LookRig) -> None:
    before = threading.active_count()
    rig.append(5)
    rig.connect()
    assert rig.numbers() == [1], "at once"
    rig.look()
    assert threading.active_count() == before
