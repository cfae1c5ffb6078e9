"""Roll-ups on a real InfluxDB: late readings, corrections, retention, kills between the steps."""

import asyncio
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from bridge import keeping
from bridge.storage import Outcome, due
from bridge.storage.influxdb import InfluxStorage
from bridge.storage.rollups import Rollups
from telemetry import influx as client
from telemetry.settings import ConnectionSettings
from tests.stack import Influx, wait_for

S = 10**9
HOUR, DAY = 3600 * S, 86400 * S
LATER = 2 * 3600 * S  # a clock as much ahead finds every hour due
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
        assert self.create() is Outcome.STORED

    def create(self) -> Outcome:
        return asyncio.run(self.storage.create()).outcome

    def write(self, *points: tuple[int, float], sensor: str = "7") -> Outcome:
        records = [self.storage.reading(f"{sensor}/temp", value, ns) for ns, value in points]
        return asyncio.run(self.storage.write(records)).outcome

    def turn(self, ahead: int = LATER) -> None:
        """Do what a bridge does that has just been started."""

        def clock() -> int:
            return time.time_ns() + ahead

        Rollups(self._client, self.name, self._wanted, clock).turn()

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


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Influx]:
    """An InfluxDB that may be killed, and that looks for what has expired each second."""
    influx = Influx(tmp_path / "influx")
    influx.env |= {
        "INFLUXDB_RETENTION_CHECK_INTERVAL": "1s",
        "INFLUXDB_CONTINUOUS_QUERIES_ENABLED": "false",  # of which these tests say nothing
    }
    with influx:
        yield influx


def hour(ago: int) -> int:
    """Return the start of an hour that lies `ago` (ns) back."""
    return (time.time_ns() - ago) // HOUR * HOUR


@pytest.mark.parametrize("ago", [3 * HOUR, 20 * DAY, 80 * DAY])
def test_a_late_reading_is_in_each_roll_up_and_so_is_its_correction(own: Influx, ago: int) -> None:
    database = Database(own, "late")
    database.turn(0)
    start = hour(ago)
    database.write((start + 5 * S, 1.0), (start + 30 * S, 3.0), (start + 90 * S, 5.0))
    database.turn(0)
    assert database.rolled("1m") == [], "a continuous query may still be at work on that hour"
    database.turn(61 * S)
    assert database.rolled("1m") == [(start, 2.0, 2), (start + 60 * S, 5.0, 1)]
    assert database.rolled("1h") == [(start, 3.0, 3)]
    database.write((start + 90 * S, 8.0))
    database.turn()
    assert database.rolled("1m") == [(start, 2.0, 2), (start + 60 * S, 8.0, 1)]
    assert database.rolled("1h") == [(start, 4.0, 3)]
    (row,) = database.query("SELECT * FROM rollup_1h.data")
    assert (row["min"], row["max"], row["type"]) == (1.0, 8.0, "temp")


def test_a_reading_of_1990_is_in_the_roll_up_that_is_kept_for_ever(own: Influx) -> None:
    database = Database(own, "old")
    database.turn(0)
    start = 20 * 365 * DAY
    database.write((start, 1.0), (hour(3 * HOUR), 2.0))
    database.turn()
    assert [at for at, *_ in database.rolled("1h")] == [start, hour(3 * HOUR)]
    assert [at for at, *_ in database.rolled("1m")] == [hour(3 * HOUR)]


def test_an_hour_that_ended_while_influxdb_was_down_is_rolled_up(own: Influx) -> None:
    database = Database(own, "punctual")
    database.turn(0)
    now = time.time_ns()
    database.write((now, 1.0))
    database.turn(0)
    assert database.rolled("1h") == [], "its hour is not over"
    own.kill()
    own.start()
    own.wait_ready()
    database.turn(LATER)
    assert [count for *_, count in database.rolled("1h")] == [1]


def test_a_kill_between_any_two_steps_loses_no_hour(
    own: Influx, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = Database(own, "killed")
    database.turn(0)
    start = hour(5 * DAY)
    database.write((start, 1.0))
    own.kill()
    own.start()
    own.wait_ready()
    with monkeypatch.context() as patch:
        patch.setattr(due.Due, "settle", killed)
        with pytest.raises(Killed):
            database.turn()
    assert database.rolled("1h") == [(start, 1.0, 1)]
    late: list[Outcome] = []

    def meanwhile(self: due.Due, one: due.Hour) -> None:
        if not late:
            late.append(database.write((start + S, 3.0)))
        settle(self, one)

    settle = due.Due.settle
    with monkeypatch.context() as patch:
        patch.setattr(due.Due, "settle", meanwhile)
        database.turn()
    assert late == [Outcome.STORED]
    database.turn()
    assert database.rolled("1h") == [(start, 2.0, 2)]


def test_control_without_its_marker_a_late_reading_is_not_rolled_up(
    own: Influx, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = Database(own, "control")
    database.turn(0)
    monkeypatch.setattr(due, "lines", lambda *_: [])
    database.write((hour(5 * DAY), 1.0))
    database.turn()
    assert database.rolled("1h") == []


class Killed(Exception):
    """The bridge ends here."""


def killed(*_: object) -> None:
    raise Killed


def test_what_the_raw_readings_have_lost_stays_in_the_roll_ups(own: Influx) -> None:
    database = Database(own, "expired", raw="12d")
    database.turn(0)
    start = hour(6 * DAY)
    database.write((start, 1.0), (start + S, 3.0))
    database.turn()
    assert database.rolled("1h") == [(start, 2.0, 2)]
    shortened = Database(own, "expired", raw="3d")
    assert shortened.policies()["autogen"] == ("72h0m0s", "24h0m0s")
    wait_for(lambda: not shortened.query("SELECT * FROM data"), 30, "the readings have expired")
    shortened.turn()
    assert shortened.write((start + 2 * S, 9.0)) is Outcome.REJECTED
    shortened.turn()
    assert shortened.rolled("1h") == [(start, 2.0, 2)]
    # InfluxDB takes it now, but the other readings of that hour are gone.
    lengthened = Database(own, "expired", raw="12d")
    assert lengthened.write((start + 2 * S, 9.0)) is Outcome.STORED
    lengthened.turn()
    assert lengthened.rolled("1h") == [(start, 2.0, 2)]
    recent = hour(DAY)
    lengthened.write((recent, 5.0))
    lengthened.turn()
    assert lengthened.rolled("1h")[1:] == [(recent, 5.0, 1)]


def test_of_a_write_with_refused_readings_the_number_of_these_is_told(own: Influx) -> None:
    database = Database(own, "counted", raw="3d")
    old = [(hour(10 * DAY) + n, 1.0) for n in range(3)]
    records = [database.storage.reading("7/temp", v, ns) for ns, v in [*old, (hour(DAY), 1.0)]]
    result = asyncio.run(database.storage.write(records))
    assert (result.outcome, result.dropped, result.oldest) == (Outcome.REJECTED, 3, True)


def test_readings_of_before_are_rolled_up_when_it_is_set(own: Influx) -> None:
    before = Database(own, "before", rollups="")
    start = hour(50 * DAY)
    before.write((start, 1.0), (start + HOUR, 2.0))
    before.write((0, 5.0), sensor="8")
    after = Database(own, "before")
    after.turn(0)
    assert after.rolled("1h") == [(start, 1.0, 1), (start + HOUR, 2.0, 1)]
    assert after.rolled("1h", "8") == [(0, 5.0, 1)]
    # So they are when it was not set for a while.
    before.turn()
    before.write((start, 3.0))
    after.turn(0)
    assert after.rolled("1h")[0] == (start, 3.0, 1)


def test_the_settings_are_followed(own: Influx) -> None:
    database = Database(own, "settings")
    assert database.policies() == {"autogen": ("0s", "2016h0m0s")}
    database.turn(0)
    assert database.policies()["rollup_1m"] == ("2160h0m0s", "72h0m0s")
    assert database.policies()["rollup_1h"] == ("0s", "2016h0m0s")
    assert database.queries() == {"rollup_1m", "rollup_1h"}
    other = Database(own, "settings", "1m:120d,10m", raw="30d")
    other.turn(0)
    assert other.policies()["autogen"] == ("720h0m0s", "24h0m0s")
    assert other.policies()["rollup_1m"] == ("2880h0m0s", "96h0m0s")
    assert other.queries() == {"rollup_1m", "rollup_10m"}
    assert "rollup_1h" in other.policies(), "its data stay"
    untouched = Database(own, "settings", "")
    untouched.turn(0)
    assert untouched.policies() == other.policies()
    assert untouched.queries() == set()
    assert untouched.query("SELECT * FROM rp_config") == []
    assert Database(own, "settings", "", raw="INF").policies()["autogen"][0] == "0s"


def test_by_default_nothing_new_is_made(own: Influx) -> None:
    database = Database(own, "default", "")
    database.write((hour(DAY), 1.0))
    database.turn()
    assert database.measurements() == {"data"}
    assert database.policies() == {"autogen": ("0s", "2016h0m0s")}
    assert database.queries() == set()


def choices(database: Database) -> Sequence[tuple[object, ...]]:
    rows = database.query("SELECT * FROM rp_config")
    return sorted((row["start"], row["end"], row["rp"], row["policy"]) for row in rows)


def test_dashboards_find_the_policy_for_the_length_of_their_range(own: Influx) -> None:
    database = Database(own, "choice")
    day = 86_400_000
    for ahead in (0, 0, 25 * HOUR):
        database.turn(ahead)
        assert choices(database) == [
            (0, 2 * day, "raw", '"autogen"'),
            (2 * day, 90 * day, "rollup_1m", '"rollup_1m"'),
            (90 * day, 10**13, "rollup_1h", '"rollup_1h"'),
        ]
    other = Database(own, "choice", "10m")
    other.turn(26 * HOUR)
    assert [rp for _, _, rp, _ in choices(other)] == ["raw", "rollup_10m"]


def test_a_continuous_query_of_influxdb_rolls_up_what_is_recent(influx: Influx) -> None:
    database = Database(influx, "recent", "1s")
    database.turn(0)
    database.write((time.time_ns(), 1.0))
    wait_for(lambda: database.rolled("1s"), 10, "a continuous query has run")
