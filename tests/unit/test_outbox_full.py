"""A full outbox, and a disk that fills up or fails in the middle of a commit."""
# ruff: noqa: SLF001  SQLite's own limits stand in for the disk's

import asyncio
from pathlib import Path

import pytest

from collector.outbox.books import Books, read_books
from collector.outbox.group_commit import OutboxFull
from collector.outbox.outbox import Outbox
from collector.outbox.row import Draft, Row
from collector.outbox.schema import OutboxUnusable
from telemetry.receipt import Receipt

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
