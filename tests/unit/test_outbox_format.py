"""Files of older and newer versions."""

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from collector.outbox.books import Books, read_books
from collector.outbox.outbox import Outbox
from collector.outbox.row import Draft
from collector.outbox.schema import FORMATS, OutboxUnusable
from telemetry.receipt import Receipt

OLD = Path(__file__).with_name("outbox_format_0.sql")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return a file as a version without formats and runs has left it.

    Of its 11 readings 1 to 4 and 8 are stored (1 and 2 pruned), 9 is rejected, the others are
    pending, 10 and 11 not even published; 7 corrects 4.
    """
    path = tmp_path / "outbox.db"
    with closing(sqlite3.connect(path)) as db:
        db.executescript(OLD.read_text())
    return path


def with_outbox(path: Path, scenario: Callable[[Outbox], object]) -> None:
    async def run() -> None:
        outbox = Outbox(path, max_bytes=1 << 30, keep_s=3600)
        scenario(outbox)
        outbox.close()

    asyncio.run(run())


def test_an_older_file_is_taken_over(path: Path) -> None:
    def scenario(outbox: Outbox) -> None:
        assert outbox.books == Books(accepted=11, stored=5, rejected=1, pending=5)
        assert [row.seq for row in outbox.read(1, 99, 99)] == [*range(3, 12)]
        (fourth,) = outbox.read(4, 4, 1)
        assert outbox.corrections([fourth]) == {4: 7}
        assert fourth.payload.startswith(b'{"id":"0123456789ab:4",')

    with_outbox(path, scenario)
    assert read_books(path).unbalanced == 0


def test_receipts_without_a_run_settle_what_has_none_and_nothing_else(path: Path) -> None:
    def scenario(outbox: Outbox) -> None:
        outbox.append([Draft("1/t", 0, b'{"value":1}')])
        outbox.commit()
        assert outbox.settle(Receipt([(1, 99)])).ranges == [(1, 11)]
        assert outbox.pending == 1
        assert outbox.settle(Receipt([(1, 99)], run=outbox.run)).ranges == [(12, 12)]

    with_outbox(path, scenario)


def test_what_was_pruned_from_an_older_file_is_out_of_reach(path: Path) -> None:
    with_outbox(path, lambda _: None)
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("SELECT pruned_at FROM outbox").fetchone() == (1795600203,)


def test_a_command_leaves_the_update_to_the_collector(path: Path) -> None:
    with pytest.raises(OutboxUnusable, match="a start of the collector updates it"):
        read_books(path)


def test_a_file_of_a_newer_version_is_refused_and_left_alone(path: Path) -> None:
    with_outbox(path, lambda _: None)
    with closing(sqlite3.connect(path)) as db:
        db.execute(f"PRAGMA user_version = {len(FORMATS) + 1}")
    before = path.read_bytes()
    for use in (lambda: with_outbox(path, lambda _: None), lambda: read_books(path)):
        with pytest.raises(OutboxUnusable, match="written by a newer version"):
            use()
    assert path.read_bytes() == before


def test_a_new_file_has_the_newest_format(tmp_path: Path) -> None:
    with_outbox(tmp_path / "new.db", lambda _: None)
    with closing(sqlite3.connect(tmp_path / "new.db")) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (len(FORMATS),)
