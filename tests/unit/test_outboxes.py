"""Which files of a directory are outboxes of a collector, and which must not be."""

import sqlite3
from argparse import Namespace
from contextlib import closing
from pathlib import Path

import pytest

from collector.commands import parser
from collector.commands.outboxes import paths
from collector.outbox.outboxes import outboxes
from collector.outbox.schema import OutboxUnusable
from collector.settings import Settings
from tests.unit.outbox_files import copy, make


def test_outboxes_are_found_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    files = ["outbox.db", "outbox-2.db", "outbox-10.db", "outbox-999.db"]
    others = ["outbox-1.db", "outbox-02.db", "outbox-1000.db", "outbox-20261128.db", "other-3.db"]
    for name in (*reversed(files), *others, "outbox-2.db-wal"):
        (tmp_path / name).touch()

    assert outboxes(tmp_path / "outbox.db") == [tmp_path / name for name in files]


def test_those_that_are_left_are_found_without_the_first(tmp_path: Path) -> None:
    (tmp_path / "box[1]-2").touch()

    assert outboxes(tmp_path / "box[1]") == [tmp_path / "box[1]-2"]
    assert outboxes(tmp_path / "none" / "outbox.db") == []


def backup(directory: Path, file: Path) -> None:
    options: Namespace = parser().parse_args(["backup", str(file)])
    options.run(Settings(outbox_path=str(directory / "outbox.db")), options)


@pytest.mark.parametrize(
    ("file", "named"),
    [
        ("outbox-3.db", "outbox-3.db"),
        ("away/../outbox-7.db", "outbox-7.db"),
        ("link/outbox-999.db", "outbox-999.db"),
    ],
)
def test_no_backup_becomes_an_outbox(tmp_path: Path, file: str, named: str) -> None:
    make(tmp_path / "outbox.db")
    (tmp_path / "away").mkdir()
    (tmp_path / "link").symlink_to(tmp_path)
    with pytest.raises(OutboxUnusable, match=f"{named}: it would be an outbox"):
        backup(tmp_path, tmp_path / file)
    assert [one.name for one in tmp_path.glob("*.db*") if one.suffix in {".db", ".partial"}] == [
        "outbox.db"
    ]


@pytest.mark.parametrize("name", ["outbox-20261128.db", "copy-3.db", "away/outbox-3.db"])
def test_a_backup_with_another_name_is_none(tmp_path: Path, name: str) -> None:
    make(tmp_path / "outbox.db")
    make(tmp_path / "outbox-2.db")
    (tmp_path / "away").mkdir()
    found = outboxes(tmp_path / "outbox.db")
    backup(tmp_path, tmp_path / name)
    assert outboxes(tmp_path / "outbox.db") == found
    assert len(list(tmp_path.rglob("*.db"))) == 4


def test_commands_are_not_about_a_copy_beside_its_original(tmp_path: Path) -> None:
    first, second, third = (tmp_path / name for name in ("outbox.db", "outbox-2.db", "outbox-3.db"))
    settings = Settings(outbox_path=str(first))
    make(first)
    make(second)
    assert paths(settings) == [first, second], "control"
    copy(second, third)
    with pytest.raises(
        OutboxUnusable, match=r"outbox-3\.db is a copy of .*outbox-2\.db"
    ) as refused:
        paths(settings)
    assert "move one of them to another directory" in str(refused.value)
    with closing(sqlite3.connect(third)) as db, db:
        db.execute("UPDATE outbox SET id = 'another'")
    assert paths(settings) == [first, second, third], "control"
