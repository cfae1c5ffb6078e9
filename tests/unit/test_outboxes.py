"""Which files of a directory are outboxes of a collector."""

from pathlib import Path

from collector.outbox.outboxes import outboxes


def test_outboxes_are_found_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    files = ["outbox.db", "outbox-2.db", "outbox-10.db"]
    for name in (*reversed(files), "outbox-1.db", "outbox-02.db", "outbox-2.db-wal", "other-3.db"):
        (tmp_path / name).touch()

    assert outboxes(tmp_path / "outbox.db") == [tmp_path / name for name in files]


def test_those_that_are_left_are_found_without_the_first(tmp_path: Path) -> None:
    (tmp_path / "box[1]-2").touch()

    assert outboxes(tmp_path / "box[1]") == [tmp_path / "box[1]-2"]
    assert outboxes(tmp_path / "none" / "outbox.db") == []
