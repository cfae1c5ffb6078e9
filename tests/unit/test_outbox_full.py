"""A full outbox, and a disk that fills up or fails in the middle of a commit."""
# ruff: noqa: SLF001  SQLite's own limits stand in for the disk's

import asyncio
import contextlib
import itertools
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

import pytest

from collector.outbox.books import Books, read_books
from collector.outbox.group_commit import Commit, GroupCommit, OutboxFull
from collector.outbox.outbox import Outbox
from collector.outbox.row import Draft, Row
from collector.outbox.schema import OutboxUnusable
from telemetry.receipt import Receipt, Rejection

LARGE = b'{"value":1' + b"0" * 20_000 + b"}"


async def fill(outbox: Outbox) -> None:
    while True:
        await outbox.append([Draft("1/t", 0, LARGE)])


def test_a_full_outbox_accepts_nothing_until_something_is_stored(tmp_path: Path) -> None:
    async def scenario() -> None:
        outbox = Outbox(tmp_path / "o.db", max_bytes=200_000, keep_s=3600)
        with pytest.raises(OutboxFull, match="OUTBOX_MAX_BYTES"):
            await fill(outbox)
        last = outbox.last
        assert 5 < last < 10
        outbox.settle(Receipt([(1, last)], run=outbox.run))
        outbox.commit()
        assert await outbox.append([Draft("1/t", 0, LARGE)]) == (last + 1, last + 1)
        outbox.close()

    asyncio.run(scenario())


class CountsNothing(GroupCommit):
    """Does not count what is gathered against the bound."""

    def add(self, rows: Sequence[Row], _: int) -> Commit:
        return super().add(rows, 0)


@pytest.mark.parametrize(("kind", "most"), [(GroupCommit, 9), (CountsNothing, 30)])
def test_many_requests_in_one_commit_are_bounded_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: type[GroupCommit], most: int
) -> None:
    async def scenario() -> int:
        outbox = Outbox(tmp_path / "o.db", max_bytes=200_000, keep_s=3600)
        commits: list[Commit] = []
        with contextlib.suppress(OutboxFull):  # all in one turn of the loop
            commits.extend(outbox.append([Draft("1/t", 0, LARGE)]) for _ in range(30))
        await asyncio.gather(*commits)
        outbox.close()
        return len(commits)

    monkeypatch.setattr("collector.outbox.outbox.GroupCommit", kind)
    assert most - 3 < asyncio.run(scenario()) <= most


def test_a_disk_that_fills_up_fails_that_commit_alone(tmp_path: Path) -> None:
    async def scenario() -> None:
        outbox = Outbox(tmp_path / "o.db", max_bytes=1 << 30, keep_s=3600)
        await outbox.append([Draft("1/t", 5, b'{"value":1}')])
        outbox._db.execute("PRAGMA max_page_count = 1")  # no more pages than there are
        outbox.settle(Receipt([(1, 1)], run=outbox.run))
        requests = [outbox.append([Draft("1/t", 9, LARGE)]) for _ in range(2)]
        for outcome in await asyncio.gather(*requests, return_exceptions=True):
            assert isinstance(outcome, OutboxFull)
        assert outbox.is_newest(Row(0, 0, 5, "1/t", b"")), "nothing newer has been accepted"
        outbox._db.execute("PRAGMA max_page_count = 100000")
        assert await outbox.append([Draft("1/t", 6, LARGE)]) == (2, 2)
        assert read_books(tmp_path / "o.db") == Books(2, 1, 0, 1)
        outbox.close()

    asyncio.run(scenario())


def test_a_disk_that_fails_ends_the_collector(tmp_path: Path) -> None:
    async def scenario() -> None:
        outbox = Outbox(tmp_path / "o.db", max_bytes=1 << 30, keep_s=3600)
        outbox._db.execute("PRAGMA query_only = ON")
        with pytest.raises(OutboxUnusable):
            await outbox.append([Draft("1/t", 0, LARGE)])
        with pytest.raises(OutboxUnusable):
            await outbox.failed()
        outbox._db.execute("PRAGMA query_only = OFF")
        with pytest.raises(OutboxUnusable):  # although the disk would take it now
            outbox.append([Draft("1/t", 0, LARGE)])
        outbox.close()

    asyncio.run(scenario())


def test_one_outbox_serves_one_collector(tmp_path: Path) -> None:
    async def scenario() -> None:
        first = Outbox(tmp_path / "o.db", max_bytes=1 << 30, keep_s=3600)
        with pytest.raises(OutboxUnusable, match="another collector"):
            Outbox(tmp_path / "o.db", max_bytes=1 << 30, keep_s=3600)
        first.close()
        Outbox(tmp_path / "o.db", max_bytes=1 << 30, keep_s=3600).close()

    asyncio.run(scenario())


def test_a_file_that_is_not_an_outbox_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "o.db").write_bytes(b"holiday pictures" * 1000)

    async def scenario() -> None:
        with pytest.raises(OutboxUnusable):
            Outbox(tmp_path / "o.db", max_bytes=1 << 30, keep_s=3600)

    asyncio.run(scenario())
    assert (tmp_path / "o.db").read_bytes() == b"holiday pictures" * 1000


def test_neither_series_that_are_gone_nor_rejected_readings_fill_the_outbox(tmp_path: Path) -> None:
    async def scenario() -> None:
        outbox = Outbox(tmp_path / "o.db", max_bytes=1 << 20, keep_s=3600)
        for number in range(400):
            drafts = [Draft(f"{number}-{i}/t", 0, b'{"value":1}') for i in range(50)]
            first, last = await outbox.append(drafts)
            rejections = [Rejection(seq, "too old") for seq in range(last - 9, last + 1)]
            outbox.settle(Receipt([(first, last - 10)], rejections, outbox.run))
            outbox.verify(first, last)
        assert outbox.space.full is None
        books = outbox.books
        assert (books.accepted, books.stored, books.rejected) == (20_000, 16_000, 4_000)
        assert books.discarded > 0
        assert books.unverified == 0
        outbox.close()
        assert read_books(tmp_path / "o.db") == books

    asyncio.run(scenario())


def test_rows_accepted_while_the_clock_was_ahead_do_not_stop_pruning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1_700_000_000.0
    ticks = itertools.count(step=10)
    clock = SimpleNamespace(
        time=lambda: now, time_ns=lambda: int(now * 1e9), monotonic=lambda: next(ticks)
    )
    for module in ("newest", "outbox", "pruner"):
        monkeypatch.setattr(f"collector.outbox.{module}.time", clock)

    async def scenario() -> None:
        nonlocal now
        outbox = Outbox(tmp_path / "o.db", max_bytes=1 << 30, keep_s=3600)
        now += 86_400
        await outbox.append([Draft("1/t", 0, b'{"value":1}')])
        now -= 86_400
        await outbox.append([Draft("1/t", 1, b'{"value":1}')])
        outbox.settle(Receipt([(1, 2)], run=outbox.run))
        outbox.verify(1, 2)
        now += 4000
        for _ in range(3):  # the names of series are written first
            outbox.commit()
        assert [row.seq for row in outbox.read(1, 9, 9)] == [1]
        outbox.close()

    asyncio.run(scenario())
