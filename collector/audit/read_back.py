"""Reads points back from InfluxDB, by series and span of time."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

import requests
from influxdb import InfluxDBClient
from influxdb.exceptions import InfluxDBClientError, InfluxDBServerError

from collector.outbox.row import Row
from telemetry.settings import InfluxAccess

_MEASUREMENT = "data"
_TIMEOUT_S = 60
# Readings of a series further apart than this are in separate spans, so that the many points of
# others that may lie between them are not read.
_GAP_NS = 60 * 1_000_000_000


class InfluxUnreachable(Exception):
    """InfluxDB does not answer, so nothing can be said."""


class Span(NamedTuple):
    """Readings of one series that lie close together, ordered by time."""

    series: str
    rows: list[Row]


def spans(rows: Sequence[Row]) -> Iterator[Span]:
    """Group rows into spans."""
    by_series: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        by_series[row.series].append(row)
    for series, members in by_series.items():
        members.sort(key=lambda row: row.ns)
        start = 0
        for end, (earlier, later) in enumerate(pairwise(members), 1):
            if later.ns - earlier.ns > _GAP_NS:
                yield Span(series, members[start:end])
                start = end
        yield Span(series, members[start:])


class ReadBack:
    """Queries InfluxDB 1.x."""

    def __init__(self, influx: InfluxAccess) -> None:
        self._client = InfluxDBClient(**influx, timeout=_TIMEOUT_S, retries=1)

    def values(self, spans: Sequence[Span]) -> list[dict[int, float]]:
        """Return what InfluxDB holds in each span: values by nanosecond, nothing without database.

        Raises InfluxUnreachable.
        """
        statements = "; ".join(
            f"SELECT value FROM {_MEASUREMENT} WHERE {_where(span.series)}"  # noqa: S608 - quoted
            f" AND time >= {span.rows[0].ns} AND time <= {span.rows[-1].ns}"
            for span in spans
        )
        try:
            answer = self._client.query(statements, epoch="ns", method="POST")
        except (InfluxDBClientError, InfluxDBServerError, requests.RequestException) as error:
            if self._database_is_missing():
                return [{} for _ in spans]
            raise InfluxUnreachable(f"InfluxDB cannot be queried: {error}") from error
        results = answer if isinstance(answer, list) else [answer]
        return [{point["time"]: point["value"] for point in r.get_points()} for r in results]

    def _database_is_missing(self) -> bool:
        # A single statement: of several, InfluxDB may only say that they were not executed.
        try:
            self._client.query(f"SELECT value FROM {_MEASUREMENT} LIMIT 1")  # noqa: S608
        except InfluxDBClientError as error:
            return str(error).startswith("database not found")
        except (InfluxDBServerError, requests.RequestException):
            return False
        return False


def _where(series: str) -> str:
    sensor_id, type_ = series.split("/")
    return f"sensor_id = {_quoted(sensor_id)} AND type = {_quoted(type_)}"


def _quoted(text: str) -> str:
    """Return `text` as a string literal of InfluxQL."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
