"""Reads stored readings back, beside the collector: made to run in a thread of its own."""

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from collector.audit.compare import differing
from collector.audit.read_back import TIMEOUT_S, ReadBack
from collector.audit.unreachable import InfluxUnreachable
from collector.outbox import late
from collector.outbox.elsewhere import STORED, Elsewhere, correction
from collector.outbox.row import Row
from collector.outbox.schema import open_beside
from telemetry.influx import nodes
from telemetry.settings import InfluxAccess

# They are asked one after the other: one that is frozen must not hold up the others for long.
_ONE_OF_SEVERAL_S = 5


class Missing(NamedTuple):
    """The numbers of readings that InfluxDB lacks, and of those for which it has another value.

    `foreign`: that other value cannot be an earlier one from an outbox of the directory.
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
        alone = nodes(influx)
        timeout_s = _ONE_OF_SEVERAL_S if len(alone) > 1 else TIMEOUT_S
        self._alone = {name: ReadBack(one, timeout_s) for name, one in alone.items()}
        self._first = {name: ReadBack(_preferring(name, influx)) for name in alone}
        self._read_back = self._first[influx["addresses"][0]]
        self._db: sqlite3.Connection | None = None

    def close(self) -> None:
        """Close the outbox's file."""
        if self._db is not None:
            self._db.close()

    def started(self) -> dict[str, str | None]:
        """Return when each of the nodes that answer was started, None if it does not tell."""
        found: dict[str, str | None] = {}
        failure: InfluxUnreachable | None = None
        for name, node in self._alone.items():
            try:
                found[name] = node.started()
            except InfluxUnreachable as unreachable:
                failure = unreachable
        if failure and not found:
            raise failure
        return found

    def ask_first(self, name: str) -> None:
        """From now on ask this node, and others only while it does not answer."""
        self._read_back = self._first[name]

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
        ordered = sorted(row for row, _ in suspects)
        superseded = late.corrections(self._connection(), ordered, self._is_rejected)
        absent: list[tuple[Row, object]] = []
        others: list[tuple[Row, object]] = []
        for row, found in suspects:
            if row.ns >= kept_since and row.seq not in superseded:
                (absent if found is None else others).append((row, found))
        # Of a correction that InfluxDB has not stored nobody knows whether it ever will.
        last = self._elsewhere.last([row for row, _ in absent], STORED)
        absent = [(row, found) for row, found in absent if not correction(last, row)]
        last = self._elsewhere.last([row for row, _ in others])
        others = [(row, found) for row, found in others if not correction(last, row, found)]
        is_late = {row.seq: late.is_late(self._connection(), row) for row, _ in others}
        strange = [(row, found) for row, found in others if not is_late[row.seq]]
        earlier = self._elsewhere.earlier(strange)
        return Missing(
            [row.seq for row, _ in absent],
            [seq for seq, ours in is_late.items() if ours or seq in earlier],
            [row.seq for row, _ in strange if row.seq not in earlier],
        )

    def _is_rejected(self, seq: int) -> bool:
        rejected = "SELECT 1 FROM rejected WHERE seq = ?"
        return self._connection().execute(rejected, [seq]).fetchone() is not None

    def _connection(self) -> sqlite3.Connection:
        if self._db is None:  # SQLite wants it made in the thread that uses it
            self._db = open_beside(self._path)
        return self._db


def _preferring(name: str, influx: InfluxAccess) -> InfluxAccess:
    others = (one for one in influx["addresses"] if one != name)
    return {**influx, "addresses": (name, *others)}
