"""Which outbox a collector takes, and which ones nobody has."""

import asyncio
import fcntl
import logging
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from collector.outbox.claim import claim, opened, unheld
from collector.outbox.outbox import Outbox
from collector.outbox.runs import Runs
from collector.outbox.schema import OutboxHeld, OutboxUnusable
from collector.settings import Settings
from run.configuration import ROOT
from tests.unit.outbox_files import copy, damage, make

_CLAIM = """
import asyncio, sys
from collector.outbox.claim import claim
from collector.settings import Settings

async def run():
    print(claim(Settings(outbox_path=sys.argv[1])).path.name, flush=True)
    sys.stdin.read()

asyncio.run(run())
"""


def claiming(directory: Path, count: int, check: Callable[[list[Outbox]], None]) -> None:
    """Check that many claimed outboxes, and close them."""

    async def run() -> None:
        settings = settings_in(directory)
        claimed: list[Outbox] = []
        try:
            for _ in range(count):
                claimed.append(claim(settings))  # noqa: PERF401  those before a failure are closed
            check(claimed)
        finally:
            for outbox in claimed:
                outbox.close()

    asyncio.run(run())


def settings_in(directory: Path) -> Settings:
    return Settings(outbox_path=str(directory / "outbox.db"))


def names(outboxes: list[Outbox]) -> list[str]:
    return [outbox.path.name for outbox in outboxes]


def files(directory: Path) -> set[str]:
    return {path.name for path in directory.glob("*.db")}


def test_each_collector_takes_the_first_that_nobody_has(tmp_path: Path) -> None:
    def check(claimed: list[Outbox]) -> None:
        assert names(claimed) == ["outbox.db", "outbox-2.db", "outbox-3.db"]
        assert len({outbox.id for outbox in claimed}) == 3
        claimed.pop(1).close()
        claimed.append(claim(settings_in(tmp_path)))
        assert names(claimed)[-1] == "outbox-2.db"

    claiming(tmp_path, 3, check)


def test_files_do_not_multiply_when_collectors_come_and_go(tmp_path: Path) -> None:
    for count in (3, 1) * 20:
        claiming(tmp_path, count, lambda _: None)
    assert files(tmp_path) == {"outbox.db", "outbox-2.db", "outbox-3.db"}


def test_those_that_nobody_has_are_found_and_looking_takes_none(tmp_path: Path) -> None:
    claiming(tmp_path, 3, lambda _: None)
    first = tmp_path / "outbox.db"

    def check(_: list[Outbox]) -> None:
        assert unheld(first) == [tmp_path / "outbox-3.db"]

    claiming(tmp_path, 2, check)
    assert len(unheld(first) or []) == 3


def test_nobody_looks_while_a_collector_takes_one(tmp_path: Path) -> None:
    first = tmp_path / "outbox.db"
    claiming(tmp_path, 1, lambda _: None)
    with (tmp_path / "outbox.db.claim").open("w") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        assert unheld(first) is None
    assert unheld(first) == [first]


def test_a_held_one_cannot_be_opened(tmp_path: Path) -> None:
    def check(claimed: list[Outbox]) -> None:
        with pytest.raises(OutboxHeld):
            opened(claimed[0].path, settings_in(tmp_path))

    claiming(tmp_path, 1, check)


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


@pytest.mark.parametrize("count", [2, 8])
def test_processes_that_claim_at_once_take_one_each(tmp_path: Path, count: int) -> None:
    argv = [sys.executable, "-c", _CLAIM, str(tmp_path / "outbox.db")]
    pipe = subprocess.PIPE
    claimers = [
        subprocess.Popen(argv, cwd=ROOT, stdin=pipe, stdout=pipe, text=True) for _ in range(count)
    ]
    try:
        taken = {one.stdout.readline().strip() for one in claimers if one.stdout}
    finally:
        for one in claimers:
            one.communicate()
    assert taken == files(tmp_path)
    assert len(taken) == count


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


@pytest.mark.parametrize("is_copy", [True, False])
def test_a_copy_is_left_alone(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, *, is_copy: bool
) -> None:
    make(tmp_path / "outbox.db")
    copy(tmp_path / "outbox.db", tmp_path / "outbox-3.db")
    with closing(sqlite3.connect(tmp_path / "outbox-3.db")) as db, db:
        db.execute("PRAGMA user_version = 1" if is_copy else "UPDATE outbox SET id = 'another'")

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


def test_numbers_end_with_three_digits(tmp_path: Path) -> None:
    (tmp_path / "outbox-998.db").touch()
    claiming(tmp_path, 3, lambda _: None)
    assert files(tmp_path) == {"outbox.db", "outbox-998.db", "outbox-999.db"}
    with pytest.raises(OutboxUnusable, match="999 outboxes"):
        claiming(tmp_path, 4, lambda _: None)
