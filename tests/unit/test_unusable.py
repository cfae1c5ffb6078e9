"""Outboxes that are damaged, copied, locked or cannot be made, at the start of a collector."""

import logging
import os
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from collector.outbox.claim import claim, opened, unheld
from collector.outbox.outbox import Outbox
from collector.outbox.runs import Runs
from collector.outbox.schema import OutboxHeld, OutboxUnusable
from tests.unit.outbox_files import claiming, copy, damage, files, make, names, settings_in


def test_a_damaged_one_is_left_alone_and_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "outbox-2.db").write_bytes(b"no database" * 1000)

    def check(claimed: list[Outbox]) -> None:
        assert names(claimed) == ["outbox.db", "outbox-3.db"]

    with caplog.at_level(logging.ERROR):
        claiming(tmp_path, 2, check)
    assert f"{tmp_path / 'outbox-2.db'}: file is not a database" in caplog.text


def test_the_first_must_be_usable(tmp_path: Path) -> None:
    (tmp_path / "outbox.db").write_bytes(b"no database" * 1000)
    with pytest.raises(OutboxUnusable, match=r"outbox\.db: file is not a database"):
        claiming(tmp_path, 1, lambda _: None)


def open_files() -> set[str]:
    """Return the names of the files that this process has open."""
    return {os.path.realpath(fd) for fd in Path("/proc/self/fd").iterdir()}


TABLES = ["outbox", "run", "settled", "rejected", "reading", "published", "series"]


@pytest.mark.parametrize("table", TABLES)
def test_a_damaged_page_is_found_at_the_start(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, table: str
) -> None:
    first, second = tmp_path / "outbox.db", tmp_path / "outbox-2.db"
    make(second)
    damage(second, table)

    def check(claimed: list[Outbox]) -> None:
        assert names(claimed) == ["outbox.db", "outbox-3.db"]
        assert unheld(first) == [second]
        assert not any("outbox-2.db" in name for name in open_files()), "all is closed"
        assert any("outbox-3.db.lock" in name for name in open_files()), "control"

    with caplog.at_level(logging.ERROR):
        claiming(tmp_path, 2, check)
    assert f"outbox-2.db is left alone: {second}: " in caplog.text
    second.rename(first)
    with pytest.raises(OutboxUnusable, match=r"outbox\.db: "):
        claiming(tmp_path, 1, lambda _: None)


def test_a_damaged_value_is_found_at_the_start(tmp_path: Path) -> None:
    make(tmp_path / "outbox.db")
    claiming(tmp_path, 1, lambda _: None)  # control
    with closing(sqlite3.connect(tmp_path / "outbox.db")) as db, db:
        db.execute("INSERT INTO settled VALUES (1, 'many')")
    with pytest.raises(OutboxUnusable, match=r"outbox\.db: "):
        claiming(tmp_path, 1, lambda _: None)


@pytest.mark.parametrize(
    ("change", "is_copy"),
    [
        ("PRAGMA user_version", True),
        ("PRAGMA user_version = 1", True),  # made by an older version
        ("UPDATE outbox SET id = 'another'", False),
    ],
)
def test_a_copy_is_left_alone(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, change: str, *, is_copy: bool
) -> None:
    make(tmp_path / "outbox.db")
    copy(tmp_path / "outbox.db", tmp_path / "outbox-3.db")
    with closing(sqlite3.connect(tmp_path / "outbox-3.db")) as db, db:
        db.execute(change)

    def check(claimed: list[Outbox]) -> None:
        assert names(claimed)[1] == ("outbox-4.db" if is_copy else "outbox-3.db")
        with pytest.raises(
            OutboxUnusable, match="is a copy of" if is_copy else "another collector"
        ):
            opened(tmp_path / "outbox-3.db", settings_in(tmp_path))

    claiming(tmp_path, 2, check)
    assert caplog.text.count("outbox-3.db is left alone") == is_copy


def test_only_the_first_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The event loop waits, too, when one is adopted."""
    for name in ("outbox.db", "outbox-2.db", "outbox-3.db"):
        make(tmp_path / name)
    waits: list[float] = []
    connect = sqlite3.connect

    def connected(path: str, timeout: float = 5.0, **options: Any) -> sqlite3.Connection:  # noqa: ANN401
        waits.append(timeout)
        db: sqlite3.Connection = connect(path, timeout, **options)
        return db

    monkeypatch.setattr(sqlite3, "connect", connected)

    claiming(tmp_path, 2, lambda _: None)
    assert [wait for wait in waits if wait != 0.05] == [5.0]
    waits.clear()

    def adopt(_: list[Outbox]) -> None:
        for name in ("outbox.db", "outbox-3.db"):
            opened(tmp_path / name, settings_in(tmp_path)).close()

    claiming(tmp_path, 0, adopt)
    assert set(waits) == {0.05}


def test_one_that_another_program_has_locked_is_left_alone(tmp_path: Path) -> None:
    def check(taken: list[str]) -> None:
        assert taken == ["outbox.db", "outbox-3.db"]

    make(tmp_path / "outbox-2.db")
    with closing(sqlite3.connect(tmp_path / "outbox-2.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        claiming(tmp_path, 2, lambda claimed: check(names(claimed)))


def test_one_that_cannot_be_made_leaves_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def begin(*_: object) -> str:
        raise sqlite3.OperationalError("database or disk is full")

    def check(_: list[Outbox]) -> None:
        before = sorted(tmp_path.iterdir())
        with monkeypatch.context() as full:
            full.setattr(Runs, "begin", begin)
            for _attempt in range(2):
                with pytest.raises(OutboxUnusable, match=r"outbox-2\.db: database or disk is full"):
                    claim(settings_in(tmp_path))
        assert sorted(tmp_path.iterdir()) == before
        claim(settings_in(tmp_path)).close()
        assert files(tmp_path) == {"outbox.db", "outbox-2.db"}

    claiming(tmp_path, 1, check)


def test_what_is_left_of_one_whose_file_was_taken_away_stays(tmp_path: Path) -> None:
    def check(claimed: list[Outbox]) -> None:
        (tmp_path / "outbox-2.db").rename(tmp_path / "away.db")
        before = sorted(tmp_path.iterdir())
        assert claimed[1].path.with_name("outbox-2.db-wal") in before
        with pytest.raises(OutboxHeld):
            claim(settings_in(tmp_path))
        assert sorted(tmp_path.iterdir()) == before

    claiming(tmp_path, 2, check)


def test_numbers_end_with_three_digits(tmp_path: Path) -> None:
    (tmp_path / "outbox-998.db").touch()
    claiming(tmp_path, 3, lambda _: None)
    assert files(tmp_path) == {"outbox.db", "outbox-998.db", "outbox-999.db"}
    with pytest.raises(OutboxUnusable, match="number 999, the last one"):
        claiming(tmp_path, 4, lambda _: None)
