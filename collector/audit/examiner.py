"""Reads stored readings back, beside the collector: made to run in a thread of its own."""

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from collector.audit.compare import differing
from collector.audit.read_back import ReadBack
from collector.outbox import late
from collector.outbox.elsewhere import Elsewhere, correction
from collector.outbox.row import Row
from collector.outbox.schema import open_beside
from telemetry.settings import InfluxAccess


class Missing(NamedTuple):
    """The numbers of readings that InfluxDB lacks, and of those for which it has another value.

    `foreign`: that other value cannot be an earlier one from this outbox.
    """

    absent: list[int]
    differing: list[int]
    foreign: list[int]

    @property
    def seqs(self) -> list[int]:
        """All of them, ascending."""
        return sorted((*self.absent, *self.differing, *self.foreign))


class Examined(NamedTuple):
    """The rows that were compared, and what is missing of them.

    `last` is the number up to which everything was compared.
    """

    last: int
    rows: list[Row]
    missing: Missing


class Examiner:
    """Compares rows of an outbox's file with InfluxDB; its methods raise InfluxUnreachable."""

    def __init__(self, path: Path, influx: InfluxAccess, elsewhere: Elsewhere) -> None:
        self._path = path
        self._elsewhere = elsewhere
        self._read_back = ReadBack(influx)
        self._db: sqlite3.Connection | None = None

    def close(self) -> None:
        """Close the outbox's file."""
        if self._db is not None:
            self._db.close()

    def started(self) -> str | None:
        """Return when InfluxDB was started, if it tells."""
        return self._read_back.started()

    def examine(self, first: int, last: int, limit: int) -> Examined:
        """Compare up to `limit` of the rows first..last that are not rejected."""
        db = self._connection()
        found = db.execute(
            "SELECT * FROM reading WHERE seq BETWEEN ? AND ?"
            " AND seq NOT IN (SELECT seq FROM rejected) ORDER BY seq LIMIT ?",
            [first, last, limit],
        ).fetchall()
        rows = [Row(*fields) for fields in found]
        end = rows[-1].seq if len(rows) == limit else last
        return Examined(end, rows, self.missing(rows))

    def missing(self, rows: Sequence[Row]) -> Missing:
        """Return which of the rows InfluxDB should hold, and does not."""
        suspects = list(differing(rows, self._read_back)) if rows else []
        kept_since = self._read_back.kept_since() if suspects else 0
        differing_rows = sorted(row for row, _ in suspects)
        superseded = late.corrections(self._connection(), differing_rows, self._is_rejected)
        last = self._elsewhere.last(differing_rows)
        missing = Missing([], [], [])
        for row, found in suspects:
            if row.ns < kept_since or row.seq in superseded or correction(last, row, found):
                continue
            if found is None:
                missing.absent.append(row.seq)
            elif late.is_late(self._connection(), row):
                missing.differing.append(row.seq)
            else:
                missing.foreign.append(row.seq)
        return missing

    def _is_rejected(self, seq: int) -> bool:
        rejected = "SELECT 1 FROM rejected WHERE seq = ?"
        return self._connection().execute(rejected, [seq]).fetchone() is not None

    def _connection(self) -> sqlite3.Connection:
        if self._db is None:  # SQLite wants it made in the thread that uses it
            self._db = open_beside(self._path)
        return self._db
