"""Readings that may correct an earlier one: of the same series and timestamp, accepted later.

Only those that were not the newest of their series when they were accepted are looked up and
listed. Readings that arrive in order, which are nearly all, cost nothing here.
"""

import sqlite3
from collections.abc import Callable, Iterator, Sequence

from collector.outbox.row import Row

_MAX_FORGOTTEN = 20_000


def save(db: sqlite3.Connection, rows: Sequence[Row]) -> None:
    """List late rows, within the caller's transaction."""
    if rows:
        db.executemany(
            "INSERT INTO late VALUES (?, ?, ?)", [(row.series, row.ns, row.seq) for row in rows]
        )


def later(db: sqlite3.Connection, row: Row) -> Iterator[int]:
    """Yield the numbers of the readings accepted later for the row's point, the last one first.

    There may be very many, of a device whose clock stands still.
    """
    for (seq,) in db.execute(
        "SELECT seq FROM late WHERE topic = ? AND ns = ? AND seq > ? ORDER BY seq DESC",
        [row.series, row.ns, row.seq],
    ):
        yield seq


def corrections(
    db: sqlite3.Connection, rows: Sequence[Row], is_rejected: Callable[[int], bool]
) -> dict[int, int]:
    """Return which of the rows, in ascending order, were corrected, and by which last reading.

    That is the last one accepted later for the same series and timestamp and not rejected.
    """
    if not rows or not _is_any_after(db, rows[0].seq):
        return {}
    last: dict[tuple[str, int], int] = {}  # one search for each point, not for each reading
    for row in rows:
        if (row.series, row.ns) not in last:
            accepted = (seq for seq in later(db, row) if not is_rejected(seq))
            last[row.series, row.ns] = next(accepted, 0)
    return {row.seq: seq for row in rows if (seq := last[row.series, row.ns]) > row.seq}


def _is_any_after(db: sqlite3.Connection, seq: int) -> bool:
    """Return whether any reading after `seq` may correct an earlier one: nearly never."""
    return db.execute("SELECT 1 FROM late WHERE seq > ? LIMIT 1", [seq]).fetchone() is not None


def is_late(db: sqlite3.Connection, row: Row) -> bool:
    """Return whether the reading itself may correct an earlier one."""
    found = db.execute(
        "SELECT 1 FROM late WHERE topic = ? AND ns = ? AND seq = ?", [row.series, row.ns, row.seq]
    )
    return found.fetchone() is not None


def forget(db: sqlite3.Connection, before: int) -> None:
    """Forget some numbers below `before`, within the caller's transaction.

    When nothing older than a reading is left, none can be sent after it.
    """
    db.execute(
        "DELETE FROM late WHERE (topic, ns, seq) IN"
        " (SELECT topic, ns, seq FROM late WHERE seq < ? ORDER BY seq LIMIT ?)",
        [before, _MAX_FORGOTTEN],
    )


def remove(db: sqlite3.Connection, first: int, last: int) -> None:
    """Remove first..last, which were rejected and are discarded: they correct nothing."""
    db.execute("DELETE FROM late WHERE seq BETWEEN ? AND ?", [first, last])
