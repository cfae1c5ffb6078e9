"""A database with roll-ups, as a bridge keeps it, and times in the past."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

from bridge import keeping
from bridge.storage import Outcome
from bridge.storage.due import Due
from bridge.storage.influxdb import InfluxStorage
from bridge.storage.retention import Policies
from bridge.storage.rollups import Rollups
from telemetry import influx as client
from telemetry.settings import ConnectionSettings
from tests.stack import Influx

S = 10**9
HOUR, DAY = 3600 * S, 86400 * S
LATER = 2 * 3600 * S
"""A clock so much ahead finds every hour due."""
SETTINGS = "1m:90d,1h"


class Database:
    """A database of its own, written by a bridge's storage; `turn` is its background work."""

    def __init__(self, influx: Influx, name: str, rollups: str = SETTINGS, raw: str = "") -> None:
        self.influx = influx
        self.name = name
        settings = ConnectionSettings(influx_port=influx.port, influx_database=name)
        keep_s = keeping.retention_s(raw)
        wanted = keeping.rollups(rollups, keep_s)
        self.storage = InfluxStorage(settings.influx, None, keep_s, wanted)
        self._client = client.client(settings.influx, 10)
        self._wanted = wanted
        self._keep_s = keep_s
        self.between: Callable[[], object] = lambda: None
        """What happens after it was seen that RETENTION may be shortened, and before it is."""
        assert self.create() is Outcome.STORED

    def create(self) -> Outcome:
        return asyncio.run(self.storage.create()).outcome

    def write(self, *points: tuple[int, float], sensor: str = "7") -> Outcome:
        records = [self.storage.reading(f"{sensor}/temp", value, ns) for ns, value in points]
        return asyncio.run(self.storage.write(records)).outcome

    def write_by_hand(self, line: str, policy: str) -> None:
        self._client.write([line], {"db": self.name, "rp": policy}, protocol="line")

    def turn(self, ahead: int = LATER) -> None:
        """Do what a bridge does that has just been started."""
        self.rollups(ahead).turn()
        self.shorten()

    def rollups(self, ahead: int) -> Rollups:
        """Return the roll-ups of a bridge that has just been started, with its clock ahead."""

        def clock() -> int:
            return time.time_ns() + ahead

        return Rollups(self._client, self.name, self._wanted, clock)

    def shorten(self) -> None:
        """Follow a shorter RETENTION, if nothing is lost by that."""
        if self._keep_s:
            policies, due = Policies(self._client, self.name), Due(self._client, self.name)
            if since := policies.shortened_since(self._keep_s, due):
                self.between()
                policies.shorten_raw(self._keep_s, due, since)

    def rolled(self, interval: str, sensor: str = "7") -> list[tuple[int, float, int]]:
        """Return time, mean and count of each interval."""
        rows = self.query(f"SELECT * FROM rollup_{interval}.data")  # noqa: S608
        return [
            (row["time"], row["value"], row["count"]) for row in rows if row["sensor_id"] == sensor
        ]

    def query(self, text: str) -> list[dict[str, Any]]:
        return self.influx.query(text, self.name)

    def policies(self) -> dict[str, tuple[str, str]]:
        rows = self.query(f'SHOW RETENTION POLICIES ON "{self.name}"')
        return {row["name"]: (row["duration"], row["shardGroupDuration"]) for row in rows}

    def queries(self) -> set[str]:
        """Return the names of all continuous queries; those of other databases too."""
        return {row["name"] for row in self.influx.query("SHOW CONTINUOUS QUERIES")}

    def measurements(self) -> set[str]:
        return {row["name"] for row in self.query(f'SHOW MEASUREMENTS ON "{self.name}"')}


def hour(ago: int) -> int:
    """Return the start of an hour that lies `ago` (ns) back."""
    return (time.time_ns() - ago) // HOUR * HOUR
