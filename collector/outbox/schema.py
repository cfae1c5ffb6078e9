"""The outbox's tables in their formats, and how its file is opened."""

import fcntl
import os
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import IO

from telemetry.process import ServiceError

# Each brings a file from the format before to its own. Files of format 1 were once not marked as
# such, so they may go through the first one again.
FORMATS = (
    """
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

-- Settled, but rejected: by InfluxDB, or as something that the broker cannot carry.
CREATE TABLE IF NOT EXISTS rejected (seq INTEGER PRIMARY KEY, reason TEXT NOT NULL);

-- The newest timestamp of each series: the broker retains only that reading.
CREATE TABLE IF NOT EXISTS series (topic TEXT PRIMARY KEY, newest INTEGER NOT NULL) WITHOUT ROWID;
""",
    """
-- When the last of the pruned readings was accepted (Unix time, s); 0: none was pruned.
ALTER TABLE outbox ADD COLUMN pruned_at INTEGER NOT NULL DEFAULT 0;
UPDATE outbox
    SET pruned_at = coalesce((SELECT at FROM reading ORDER BY seq LIMIT 1), strftime('%s', 'now'))
    WHERE last > 0 AND coalesce((SELECT min(seq) FROM reading), 0) != 1;

-- How many readings were found missing in InfluxDB and replayed, pruned without having been read
-- back, and rejected and no longer kept.
ALTER TABLE outbox ADD COLUMN healed INTEGER NOT NULL DEFAULT 0;
ALTER TABLE outbox ADD COLUMN unverified INTEGER NOT NULL DEFAULT 0;
ALTER TABLE outbox ADD COLUMN discarded INTEGER NOT NULL DEFAULT 0;

-- The runs, by their first sequence number. The first readings of old files have no run: ''.
CREATE TABLE run (first INTEGER PRIMARY KEY, name TEXT NOT NULL);
INSERT INTO run SELECT 1, '' FROM outbox WHERE last > 0;

-- Readings that may be of the same series and timestamp as an earlier one: accepted with a
-- timestamp not newer than the newest of their series.
CREATE TABLE late (
    topic TEXT NOT NULL, ns INTEGER NOT NULL, seq INTEGER NOT NULL, PRIMARY KEY (topic, ns, seq)
) WITHOUT ROWID;
CREATE INDEX late_seq ON late (seq);
INSERT INTO late SELECT reading.topic, reading.ns, seq FROM reading JOIN (
    SELECT topic, ns, min(seq) AS first FROM reading GROUP BY topic, ns HAVING count(*) > 1
) AS point ON point.topic = reading.topic AND point.ns = reading.ns WHERE seq > first;

-- An upper bound of the sequence numbers of the series.
ALTER TABLE series ADD COLUMN seq INTEGER NOT NULL DEFAULT 0;
UPDATE series SET seq = (SELECT series_to FROM outbox);
""",
)

_ROW = """
INSERT INTO outbox (id, last, series_to)
    SELECT lower(hex(randomblob(6))), 0, 0 WHERE NOT EXISTS (SELECT 1 FROM outbox);
"""

# SQLite's words for a file of another kind, and for one without our tables.
_NO_OUTBOX = {"SQLITE_NOTADB", "SQLITE_ERROR"}

# How long a commit waits for another program that writes the file. The event loop waits with it.
BUSY_S = 0.05

# A damaged file may also hold values of any type.
_UNUSABLE = (OSError, sqlite3.Error, TypeError, ValueError)


class OutboxUnusable(ServiceError):
    """The outbox cannot be opened, or no longer be written."""


class OutboxHeld(OutboxUnusable):
    """Another collector has the outbox."""


def lock_of(path: Path) -> Path:
    """Return the file whose lock keeps other collectors from an outbox."""
    return path.with_name(path.name + ".lock")


@contextmanager
def opening(path: Path, wait_s: float) -> Iterator[tuple[sqlite3.Connection, IO[str]]]:
    """Open or create the outbox: give its connection, and the lock that keeps others out.

    Both stay open, unless what the caller then reads there fails. Waits up to `wait_s` for another
    program that writes the file. Raises OutboxHeld when another collector has it, OutboxUnusable
    when the file is not an outbox, a damaged one or one of a newer version, or when SQLite does not
    grant the durability that a 201 promises.
    """
    opened = ExitStack()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = opened.enter_context(lock_of(path).open("w"))
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        db = opened.enter_context(closing(sqlite3.connect(path, wait_s, isolation_level=None)))
        mode = db.execute("PRAGMA journal_mode = WAL").fetchone()[0]
        db.execute("PRAGMA synchronous = FULL")
        level = db.execute("PRAGMA synchronous").fetchone()[0]
        if (mode, level) != ("wal", 2):
            raise OutboxUnusable(
                f"{path}: wanted journal_mode wal and synchronous 2, got {mode} and {level}"
            )
        _migrate(db, path)
        _sync_directory(path.parent)
        yield db, lock
        db.execute(f"PRAGMA busy_timeout = {round(BUSY_S * 1000)}")
        opened.pop_all()  # leave both open
    except BlockingIOError:
        raise OutboxHeld(
            f"{path}: another collector has this outbox; one outbox serves one collector"
        ) from None
    except _UNUSABLE as error:
        raise OutboxUnusable(f"{path}: {error}") from error
    finally:
        opened.close()


def open_beside(path: Path, *, mode: str = "ro") -> sqlite3.Connection:
    """Open an existing outbox beside its running collector, to read ("ro") or change it ("rw").

    Raises OutboxUnusable.
    """
    try:
        # SQLite would not say what is wrong. Opening the file to see would be fatal: closing it
        # again takes away the locks that a collector in this process has on it.
        is_file = stat.S_ISREG(path.stat().st_mode)
    except FileNotFoundError:
        hint = "there is no such file; has a collector run with this OUTBOX_PATH?"
        raise OutboxUnusable(f"outbox {path}: {hint}") from None
    except OSError as error:
        raise OutboxUnusable(f"outbox {path}: {(error.strerror or '').lower()}") from error
    if not is_file:
        raise OutboxUnusable(f"outbox {path}: it is not a file")
    with ExitStack() as opened:
        try:
            uri = f"{path.absolute().as_uri()}?mode={mode}"
            db = opened.enter_context(closing(sqlite3.connect(uri, uri=True, isolation_level=None)))
            db.execute("SELECT id FROM outbox")
            found = _format(db, path)
        except sqlite3.Error as error:
            is_outbox = error.sqlite_errorname not in _NO_OUTBOX
            why = error if is_outbox else "it is not an outbox"
            raise OutboxUnusable(f"outbox {path}: {why}") from error
        if found < len(FORMATS):
            raise OutboxUnusable(
                f"outbox {path}: of an older version; a start of the collector updates it"
            )
        opened.pop_all()  # leave it open
    return db


def _migrate(db: sqlite3.Connection, path: Path) -> None:
    for number, script in enumerate(FORMATS[_format(db, path) :], _format(db, path) + 1):
        # The row, too: commands may read the file at any moment.
        row = _ROW if number == len(FORMATS) else ""
        db.executescript(f"BEGIN IMMEDIATE; {script} {row} PRAGMA user_version = {number}; COMMIT")
    db.execute(_ROW)  # of a file whose first collector was killed before it had one


def _format(db: sqlite3.Connection, path: Path) -> int:
    """Return the format of a file; raises OutboxUnusable for that of a newer version."""
    found = int(db.execute("PRAGMA user_version").fetchone()[0])
    if found > len(FORMATS):
        raise OutboxUnusable(
            f"{path}: written by a newer version (format {found}, this one knows {len(FORMATS)});"
            " run that version or a later one, which finds everything that is pending"
        )
    return found


def _sync_directory(directory: Path) -> None:
    # A new file's name is durable only when its directory is.
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
