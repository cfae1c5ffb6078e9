"""The outbox's tables, and how its file is opened."""

import fcntl
import os
import secrets
import sqlite3
from contextlib import ExitStack, closing
from pathlib import Path
from typing import IO

from telemetry.process import ServiceError

SCHEMA = """
-- One row: the outbox's id, the last committed sequence number, and the one up to which `series`
-- was written.
CREATE TABLE IF NOT EXISTS outbox (
    id TEXT NOT NULL, last INTEGER NOT NULL, series_to INTEGER NOT NULL
);

-- A reading as it is published: `at` is when it was accepted (Unix time, s), `ns` its timestamp,
-- `topic` the name of its series.
CREATE TABLE IF NOT EXISTS reading (
    seq INTEGER PRIMARY KEY, at INTEGER NOT NULL, ns INTEGER NOT NULL, topic TEXT NOT NULL,
    payload BLOB NOT NULL
);

-- Inclusive ranges of sequence numbers: those with a receipt, and those the broker acknowledged.
CREATE TABLE IF NOT EXISTS settled (first INTEGER PRIMARY KEY, last INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS published (first INTEGER PRIMARY KEY, last INTEGER NOT NULL);

-- Settled, but rejected by InfluxDB.
CREATE TABLE IF NOT EXISTS rejected (seq INTEGER PRIMARY KEY, reason TEXT NOT NULL);

-- The newest timestamp of each series: the broker retains only that reading.
CREATE TABLE IF NOT EXISTS series (topic TEXT PRIMARY KEY, newest INTEGER NOT NULL) WITHOUT ROWID;
"""


class OutboxUnusable(ServiceError):
    """The outbox cannot be opened, or no longer be written."""


def open_for_writing(path: Path) -> tuple[sqlite3.Connection, IO[str]]:
    """Open or create the outbox; return its connection and the lock that keeps others out.

    Raises OutboxUnusable when another collector has it, when the file is not an outbox, or when
    SQLite does not grant the durability that a 201 promises.
    """
    opened = ExitStack()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = opened.enter_context(path.with_name(path.name + ".lock").open("w"))
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        db = opened.enter_context(closing(sqlite3.connect(path, isolation_level=None)))
        mode = db.execute("PRAGMA journal_mode = WAL").fetchone()[0]
        db.execute("PRAGMA synchronous = FULL")
        level = db.execute("PRAGMA synchronous").fetchone()[0]
        if (mode, level) != ("wal", 2):
            raise OutboxUnusable(
                f"{path}: wanted journal_mode wal and synchronous 2, got {mode} and {level}"
            )
        db.executescript(SCHEMA)
        db.execute(
            "INSERT INTO outbox SELECT ?, 0, 0 WHERE NOT EXISTS (SELECT 1 FROM outbox)",
            [secrets.token_hex(6)],
        )
        _sync_directory(path.parent)
        opened.pop_all()  # leave both open
    except BlockingIOError:
        raise OutboxUnusable(
            f"{path}: another collector has this outbox; one outbox serves one collector"
        ) from None
    except (OSError, sqlite3.Error) as error:
        raise OutboxUnusable(f"{path}: {error}") from error
    finally:
        opened.close()
    return db, lock


def open_for_reading(path: Path) -> sqlite3.Connection:
    """Open an existing outbox beside its running collector; raises OutboxUnusable."""
    try:
        db = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None)
        db.execute("SELECT id FROM outbox")
    except sqlite3.Error as error:
        raise OutboxUnusable(f"{path}: {error}") from error
    return db


def _sync_directory(directory: Path) -> None:
    # A new file's name is durable only when its directory is.
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
