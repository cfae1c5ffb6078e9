"""What is made in a real InfluxDB for RETENTION and ROLLUPS, changed and taken back."""

import time
from collections.abc import Iterable, Sequence

import pytest
from influxdb.exceptions import InfluxDBClientError

from bridge.storage.due import Due
from bridge.storage.retention import Policies
from tests.grafana.dashboards import load, query
from tests.grafana.interpolation import interpolate
from tests.integration.rolled_up import DAY, HOUR, LATER, Database, hour
from tests.stack import Influx, wait_for


def test_the_settings_are_followed(own_influx: Influx) -> None:
    database = Database(own_influx, "settings")
    assert database.policies() == {"autogen": ("0s", "2016h0m0s")}
    database.turn(0)
    assert database.policies()["rollup_1m"] == ("2160h0m0s", "72h0m0s")
    assert database.policies()["rollup_1h"] == ("0s", "2016h0m0s")
    assert database.queries() == {"rollup_1m", "rollup_1h"}
    other = Database(own_influx, "settings", "1m:120d,10m", raw="30d")
    other.turn(0)
    assert other.policies()["autogen"] == ("720h0m0s", "24h0m0s")
    assert other.policies()["rollup_1m"] == ("2880h0m0s", "96h0m0s")
    assert other.queries() == {"rollup_1m", "rollup_10m"}
    assert "rollup_1h" in other.policies(), "its data stay"
    untouched = Database(own_influx, "settings", "")
    untouched.turn(0)
    assert untouched.policies() == other.policies()
    assert untouched.queries() == set()
    assert untouched.query("SELECT * FROM rp_config") == []
    assert Database(own_influx, "settings", "", raw="INF").policies()["autogen"][0] == "0s"


def test_by_default_nothing_new_is_made(own_influx: Influx) -> None:
    database = Database(own_influx, "default", "")
    database.write((hour(DAY), 1.0))
    database.turn()
    assert database.measurements() == {"data"}
    assert database.policies() == {"autogen": ("0s", "2016h0m0s")}
    assert database.queries() == set()


def test_all_hours_are_marked_once_if_what_follows_fails(
    own_influx: Influx, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = Database(own_influx, "forbidden", "1h")
    database.write((hour(DAY), 1.0))
    marked: list[object] = []
    mark = Due.mark

    def marking(self: Due, starts: Iterable[int], due: int) -> None:
        marked.append(starts)
        mark(self, starts, due)

    def forbidden(*_: object) -> None:
        raise InfluxDBClientError("authorization failed")

    monkeypatch.setattr(Due, "mark", marking)
    rollups = database.rollups(LATER)
    with monkeypatch.context() as patch:
        patch.setattr(Policies, "make", forbidden)
        for _ in range(3):
            with pytest.raises(InfluxDBClientError, match="authorization failed"):
                rollups.turn()
    rollups.turn()
    assert [mean for _, mean, _ in database.rolled("1h")] == [1]
    assert len(marked) == 1
    database.rollups(LATER).turn()
    assert len(marked) == 1
    database.query('DROP CONTINUOUS QUERY rollup_1h ON "forbidden"')
    database.rollups(LATER).turn()
    assert len(marked) == 2, "what was stored meanwhile may be of an older version"


def choices(database: Database) -> Sequence[tuple[object, ...]]:
    rows = database.query("SELECT * FROM rp_config")
    return sorted((row["start"], row["end"], row["rp"], row["policy"]) for row in rows)


def test_dashboards_find_the_policy_for_the_length_of_their_range(own_influx: Influx) -> None:
    database = Database(own_influx, "choice")
    day = 86_400_000
    for ahead in (0, 0, 25 * HOUR):
        database.turn(ahead)
        assert choices(database) == [
            (0, 2 * day, "raw", "autogen"),
            (2 * day, 90 * day, "rollup_1m", "rollup_1m"),
            (90 * day, 10**13, "rollup_1h", "rollup_1h"),
        ]
    other = Database(own_influx, "choice", "10m")
    other.turn(26 * HOUR)
    assert [rp for _, _, rp, _ in choices(other)] == ["raw", "rollup_10m"]


def test_dashboards_read_each_policy_by_that_name(own_influx: Influx) -> None:
    database = Database(own_influx, "boards")
    times = [hour(DAY) + minute * 60 * 10**9 for minute in range(5)]
    database.write(*((ns, 20.0) for ns in times))
    database.turn()
    span = (times[0] // 10**6, times[-1] // 10**6 + 60_000)
    lines = query(load("readings"), "$drawn, up to 30 sensors")

    def drawn(policy: str) -> bool:
        return bool(database.query(interpolate(lines, span, {"policy": [policy]})))

    names = [str(policy) for *_, policy in choices(database)]
    assert [drawn(name) for name in names] == [True] * 3
    with pytest.raises(AssertionError, match="retention policy not found"):
        drawn("rollup_10m")


def test_a_continuous_query_of_influxdb_rolls_up_what_is_recent(influx: Influx) -> None:
    database = Database(influx, "recent", "1s")
    database.turn(0)
    database.write((time.time_ns(), 1.0))
    wait_for(lambda: database.rolled("1s"), 10, "a continuous query has run")
