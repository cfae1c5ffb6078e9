"""The points of a sensor in InfluxDB, and how to make InfluxDB reject readings."""

import contextlib
from collections.abc import Iterator
from datetime import UTC, datetime

from tests.stack import Influx, wait_for

Points = dict[tuple[str, int], float]

# As long as the bridge lets InfluxDB keep in one shard.
_PERIOD_NS = 12 * 7 * 86400 * 10**9


def points(influx: Influx, sensor_id: str, db: str = "iot") -> Points:
    """Return the values of a sensor by type and time (ns)."""
    quoted = sensor_id.replace("\\", "\\\\").replace("'", "\\'")
    rows = influx.query(f"SELECT value FROM data WHERE sensor_id = '{quoted}' GROUP BY type", db)  # noqa: S608
    return {(row["type"], row["time"]): row["value"] for row in rows}


def wait_points(
    influx: Influx, sensor_id: str, count: int = 1, *, db: str = "iot", timeout: float = 20
) -> Points:
    """Wait until InfluxDB holds at least `count` points of a sensor, and return them."""
    return wait_for(
        lambda: found if len(found := points(influx, sensor_id, db)) >= count else {},
        timeout,
        f"{count} points of sensor {sensor_id}",
    )


def period(number: int) -> int:
    """Return a time (ns) in a past period; InfluxDB keeps each in a shard of its own."""
    return 10**18 + number * _PERIOD_NS


@contextlib.contextmanager
def rejecting(influx: Influx, ns: int, db: str = "iot") -> Iterator[None]:
    """Make InfluxDB reject every reading of the period of `ns`, where `value` becomes an integer.

    At the end that period is dropped, and InfluxDB stores readings there again.
    """
    influx.write(f"data,sensor_id=conflict,type=conflict value=1i {ns}", db)
    try:
        yield
    finally:
        _drop_period(influx, ns, db)


def _drop_period(influx: Influx, ns: int, db: str) -> None:
    moment = datetime.fromtimestamp(ns / 1e9, UTC)
    for shard in influx.query("SHOW SHARDS"):
        first, last = (datetime.fromisoformat(shard[key]) for key in ("start_time", "end_time"))
        if shard["database"] == db and first <= moment < last:
            influx.query(f"DROP SHARD {shard['id']}", db)
