"""Compares what was acknowledged with what InfluxDB holds: point by point, value by value."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import islice, pairwise
from typing import NamedTuple

import msgspec
import requests
from influxdb import InfluxDBClient
from influxdb.exceptions import InfluxDBClientError, InfluxDBServerError

from collector.outbox import Row
from collector.settings import Settings
from collector.window import Window
from telemetry import timestamp
from telemetry.reading import MEASUREMENT, Message

_TIMEOUT_S = 60
# Readings of a series further apart than this are asked for separately: what lies between them
# belongs to others.
_GAP_NS = 60 * 1_000_000_000
_STATEMENTS = 200

_decode = msgspec.json.Decoder(Message).decode


class NoDatabase(Exception):
    """InfluxDB does not answer, so nothing can be said."""


class Result(NamedTuple):
    """What became of the readings of a window."""

    audited: int
    stored: int
    pending: int
    rejected: int
    superseded: int  # another reading was accepted for the same point
    missing: int


class Span(NamedTuple):
    """Readings of one series that lie close together, ordered by time."""

    topic: str
    rows: list[Row]


class Audit:
    """One comparison; `missing` names what is not in InfluxDB as it was acknowledged."""

    def __init__(self, window: Window, settings: Settings) -> None:
        self._window = window
        self._client = InfluxDBClient(
            settings.influx_host,
            settings.influx_port,
            settings.influx_username or None,
            settings.influx_password or None,
            settings.influx_database,
            timeout=_TIMEOUT_S,
            retries=1,
        )
        self.missing: list[str] = []

    def run(self) -> Result:
        """Compare; raises NoDatabase when InfluxDB does not answer."""
        audited = stored = pending = rejected = 0
        differing: dict[tuple[str, int], list[tuple[Row, float | None]]] = defaultdict(list)
        for rows in self._window.chunks():
            audited += len(rows)
            settled = []
            for row in rows:
                if row.seq not in self._window.settled:
                    pending += 1
                elif row.seq in self._window.rejected:
                    rejected += 1
                else:
                    settled.append(row)
            for row, found in self._compare(settled):
                differing[row.topic, row.ns].append((row, found))
            stored += len(settled)
        suspects = sum(map(len, differing.values()))
        superseded = self._explain(differing) if differing else 0
        missing = suspects - superseded
        return Result(audited, stored - suspects, pending, rejected, superseded, missing)

    def _compare(self, rows: Sequence[Row]) -> Iterator[tuple[Row, float | None]]:
        """Yield the rows that InfluxDB does not hold so, with the value that it holds."""
        spans = _spans(rows)
        while some := list(islice(spans, _STATEMENTS)):
            for span, points in zip(some, self._ask(some), strict=True):
                for row in span.rows:
                    found = points.get(row.ns)
                    if found is None or found != _value(row):
                        yield row, found

    def _ask(self, spans: Sequence[Span]) -> list[dict[int, float]]:
        """Return for each span what InfluxDB holds there: values by nanosecond."""
        statements = "; ".join(
            f"SELECT value FROM {MEASUREMENT} WHERE {_where(span.topic)}"  # noqa: S608 - quoted
            f" AND time >= {span.rows[0].ns} AND time <= {span.rows[-1].ns}"
            for span in spans
        )
        try:
            answer = self._client.query(statements, epoch="ns", method="POST")
        except (InfluxDBClientError, InfluxDBServerError, requests.RequestException) as error:
            if self._database_is_lost():
                return [{} for _ in spans]
            raise NoDatabase(f"InfluxDB cannot be asked: {error}") from error
        results = answer if isinstance(answer, list) else [answer]
        return [{point["time"]: point["value"] for point in r.get_points()} for r in results]

    def _database_is_lost(self) -> bool:
        # Asked alone: of several statements InfluxDB may only say that they were not executed.
        try:
            self._client.query(f"SELECT value FROM {MEASUREMENT} LIMIT 1")  # noqa: S608
        except InfluxDBClientError as error:
            return str(error).startswith("database not found")
        except (InfluxDBServerError, requests.RequestException):
            return False
        return False

    def _explain(self, differing: dict[tuple[str, int], list[tuple[Row, float | None]]]) -> int:
        """Count those for which another accepted reading holds the point; note the others."""
        values: dict[tuple[str, int], set[float]] = defaultdict(set)
        for rows in self._window.chunks():
            for row in rows:
                if (row.topic, row.ns) in differing:
                    values[row.topic, row.ns].add(_value(row))
        superseded = 0
        for point, rows_found in differing.items():
            for row, found in rows_found:
                if found is not None and found in values[point]:
                    superseded += 1
                else:
                    held = "nothing" if found is None else repr(found)
                    moment = timestamp.render(row.ns)
                    self.missing.append(
                        f"missing: number {row.seq}, {row.topic} at {moment}:"
                        f" {_value(row)!r} was acknowledged, InfluxDB has {held}"
                    )
        return superseded


def _spans(rows: Sequence[Row]) -> Iterator[Span]:
    by_topic: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        by_topic[row.topic].append(row)
    for topic, members in by_topic.items():
        members.sort(key=lambda row: row.ns)
        start = 0
        for end, (earlier, later) in enumerate(pairwise(members), 1):
            if later.ns - earlier.ns > _GAP_NS:
                yield Span(topic, members[start:end])
                start = end
        yield Span(topic, members[start:])


def _where(topic: str) -> str:
    sensor_id, type_ = topic.split("/")
    return f"sensor_id = {_quoted(sensor_id)} AND type = {_quoted(type_)}"


def _quoted(text: str) -> str:
    """Return `text` as a string of InfluxQL."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _value(row: Row) -> float:
    return float(_decode(row.payload).value)
