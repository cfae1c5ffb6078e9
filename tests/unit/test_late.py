"""Corrections of one point, however many there are of it."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from collector.outbox import late
from collector.outbox.outbox import Outbox
from collector.outbox.row import Draft
from telemetry.receipt import Receipt, Rejection

COUNT = 3000


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Outbox]:
    """Readings of a device whose clock stands still."""

    async def fill() -> Outbox:
        outbox = Outbox(tmp_path / "o.db", max_bytes=1 << 30, keep_s=3600)
        await outbox.append([Draft("1/t", 5, b'{"value":1}')] * COUNT)
        return outbox

    outbox = asyncio.run(fill())
    yield outbox
    outbox.close()


def steps(outbox: Outbox) -> list[int]:
    """Count what SQLite does from now on, in hundreds of its instructions."""
    counted = [0]

    def count() -> int:
        counted[0] += 1
        return 0

    outbox._db.set_progress_handler(count, 100)  # noqa: SLF001
    return counted


@pytest.mark.parametrize("rejected", [0, COUNT // 2])
def test_the_last_one_is_searched_once_for_all(outbox: Outbox, rejected: int) -> None:
    last = COUNT - rejected
    for seq in range(last + 1, COUNT + 1):
        outbox.settle(Receipt([], [Rejection(seq, "too old")], outbox.run))
    rows = outbox.read(1, COUNT, COUNT)
    counted = steps(outbox)
    assert outbox.corrections(rows) == dict.fromkeys(range(1, last), last)
    assert counted[0] < COUNT / 10, "not one search for each"


def test_the_last_one_is_found_without_reading_all(outbox: Outbox) -> None:
    (first,) = outbox.read(1, 1, 1)
    counted = steps(outbox)
    assert next(late.later(outbox._db, first)) == COUNT  # noqa: SLF001
    assert counted[0] < 10


def test_which_reading_may_be_a_correction_is_known(outbox: Outbox) -> None:
    first, second = outbox.read(1, 2, 2)
    assert not late.is_late(outbox._db, first)  # noqa: SLF001
    assert late.is_late(outbox._db, second)  # noqa: SLF001
