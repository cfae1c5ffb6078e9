"""What is known of values that a reading accepted later has replaced."""

import asyncio
import logging
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace

import pytest

from collector import journal
from collector.journal import Journal
from collector.outbox.outbox import Outbox
from collector.outbox.row import Row
from collector.outbox.superseded import Superseded, in_outbox
from telemetry.receipt import Receipt, Rejection

Given = tuple[str, int, float]
Accept = Callable[..., list[Superseded]]


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Outbox]:
    async def opened() -> Outbox:
        return Outbox(tmp_path / "o.db", max_bytes=1 << 30, keep_s=3600)

    outbox = asyncio.run(opened())
    yield outbox
    outbox.close()


@pytest.fixture
def accept(outbox: Outbox) -> Accept:
    """Commit readings, series, time and value of each, and return what is said to be replaced."""

    def accept(*given: Given) -> list[Superseded]:
        found: list[Superseded] = []
        outbox.on_superseded(found.extend)
        rows = [
            Row(outbox.last + number, 1, ns, series, b'{"id":"o:%d","value":%d}' % (number, value))
            for number, (series, ns, value) in enumerate(given, 1)
        ]
        outbox._write(rows)  # noqa: SLF001  a commit without an event loop
        return found

    return accept


def test_another_value_for_the_newest_point_replaces_it(accept: Accept) -> None:
    assert accept(("1/t", 5, 20), ("2/t", 5, 20)) == []
    assert accept(("1/t", 5, 21)) == [Superseded("1/t", 5, 20, 21)]
    assert accept(("1/t", 5, 22), ("1/t", 5, 23)) == [
        Superseded("1/t", 5, 21, 22),
        Superseded("1/t", 5, 22, 23),
    ]


def test_a_value_beyond_any_number_keeps_no_reading_from_its_commit(
    outbox: Outbox, accept: Accept
) -> None:
    assert accept(("1/t", 5, 10**400), ("1/t", 5, 1), ("1/t", 5, 10**400)) == []
    assert (outbox.last, in_outbox(outbox.path)) == (3, (0, []))


def test_within_one_commit_any_point_counts(accept: Accept) -> None:
    assert accept(("1/t", 5, 20), ("1/t", 6, 1), ("1/t", 5, 21)) == [Superseded("1/t", 5, 20, 21)]


@pytest.mark.parametrize("again", [("1/t", 5, 20), ("1/t", 6, 21), ("1/t", 4, 21), ("2/t", 5, 21)])
def test_the_same_value_or_another_point_replaces_nothing(accept: Accept, again: Given) -> None:
    assert accept(("1/t", 5, 20)) == []
    assert accept(again) == []


def test_the_outbox_knows_all_of_them(outbox: Outbox, accept: Accept) -> None:
    assert in_outbox(outbox.path) == (0, [])
    accept(("1/t", 5, 20), ("1/t", 9, 1))
    accept(("1/t", 5, 21), ("1/t", 5, 21), ("1/t", 9, 1), ("1/t", 9, 2), ("1/t", 8, 2))
    later = [Superseded("1/t", 5, 20, 21), Superseded("1/t", 9, 1, 2), Superseded("1/t", 9, 1, 2)]
    assert in_outbox(outbox.path) == (3, later)
    outbox.settle(Receipt([], [Rejection(6, "too old")], outbox.run))
    outbox.commit()
    assert in_outbox(outbox.path) == (1, later[:1]), "a rejected reading replaces nothing"


def test_only_the_first_five_are_named_and_very_many_are_not_counted(
    outbox: Outbox, accept: Accept
) -> None:
    accept(*(("1/t", 5, value) for value in range(1001)))
    count, first = in_outbox(outbox.path)
    assert (count, len(first)) == (1000, 5)
    accept(("1/t", 5, 1001))
    assert in_outbox(outbox.path) == (None, [])


def test_a_few_warnings_a_minute_are_logged_and_the_others_counted(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    now = [1000.0]
    monkeypatch.setattr(journal, "time", SimpleNamespace(monotonic=lambda: now[0]))
    journal_ = Journal()

    def warned(replaced: Sequence[Superseded]) -> list[str]:
        caplog.clear()
        journal_.on_superseded(replaced)
        return [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING]

    one = Superseded("8/temp", 10**18, 20.0, 21.5)
    text = (
        "8/temp at 2001-09-09T01:46:40Z: 21.5 replaced 20.0,"
        " accepted earlier for the same series and time"
    )
    assert warned([one]) == [text]
    assert warned([one] * 5) == [text] * 2
    assert warned([one] * 5) == []
    now[0] += 60
    assert warned([one] * 2) == [f"{text} (and at least 8 more since the last warning)", text]
