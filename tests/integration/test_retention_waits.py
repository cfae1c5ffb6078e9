"""A shorter RETENTION on a real InfluxDB: it deletes nothing that is not rolled up."""

import logging
from typing import Any

import pytest
from influxdb import InfluxDBClient
from influxdb.exceptions import InfluxDBClientError

from bridge.storage import due
from tests.integration.rolled_up import DAY, LATER, Database, S, hour
from tests.stack import Influx, wait_for

LONG, SHORT = "288h0m0s", "72h0m0s"
DAYS = (6, 5, 1)


def stored(own_influx: Influx, rollups: str) -> Database:
    """Return a database that keeps readings for 12 days, with some of these."""
    Database(own_influx, "waits", "", raw="12d")  # the shards are short from the start
    database = Database(own_influx, "waits", rollups, raw="12d")
    database.turn(0)
    assert database.policies()["autogen"][0] == LONG
    database.write(*((hour(ago * DAY), float(ago)) for ago in DAYS))
    return database


def kept(database: Database) -> str:
    return database.policies()["autogen"][0]


def means(database: Database, interval: str = "1h") -> list[float]:
    return [mean for _, mean, _ in database.rolled(interval)]


def wait_expired(database: Database) -> None:
    """Wait until the one reading of yesterday is left."""
    wait_for(lambda: len(database.query("SELECT * FROM data")) == 1, 30, "readings have expired")


@pytest.mark.parametrize("before", ["", "1h", "1m:90d,1h"])
def test_what_it_deletes_is_rolled_up_before_across_kills(
    own_influx: Influx, monkeypatch: pytest.MonkeyPatch, before: str
) -> None:
    stored(own_influx, before)
    shortened = Database(own_influx, "waits", raw="3d")
    settled: list[due.Hour] = []

    def killed(self: due.Due, one: due.Hour) -> None:
        if settled:
            raise KeyboardInterrupt
        settled.append(one)
        settle(self, one)

    settle = due.Due.settle
    with monkeypatch.context() as patch:
        patch.setattr(due.Due, "settle", killed)
        with pytest.raises(KeyboardInterrupt):
            shortened.turn()
    own_influx.kill()
    own_influx.start()
    own_influx.wait_ready()
    again = Database(own_influx, "waits", raw="3d")
    again.shorten()
    assert kept(again) == LONG, "the second hour is still to be rolled up"
    again.turn()
    assert kept(again) == SHORT
    wait_expired(again)
    again.turn()
    assert means(again) == means(again, "1m") == [6, 5, 1]


def test_control_what_is_deleted_at_once_is_missing(own_influx: Influx) -> None:
    stored(own_influx, "")
    wait_expired(Database(own_influx, "waits", "", raw="3d"))
    shortened = Database(own_influx, "waits", raw="3d")
    shortened.turn()
    assert means(shortened) == [1]


def test_it_waits_for_an_hour_that_cannot_be_rolled_up_and_says_so(
    own_influx: Influx, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    bad = hour(6 * DAY)  # so is all of its shard
    database = stored(own_influx, "1m:90d,1h")
    database.write_by_hand(f'data,sensor_id=7,type=temp value="x" {bad}', "rollup_1m")
    shortened = Database(own_influx, "waits", raw="3d")
    with pytest.raises(InfluxDBClientError, match="field type conflict"):
        shortened.turn()
    shortened.shorten()
    assert "RETENTION of 3 days waits: 2 hours" in caplog.text
    assert kept(shortened) == LONG
    shortened.query(f"DELETE FROM rollup_due WHERE time < {hour(4 * DAY)}")  # noqa: S608
    shortened.shorten()
    assert kept(shortened) == SHORT
    assert "InfluxDB deletes what is older than 3 days" in caplog.text


def test_it_waits_for_a_late_reading(own_influx: Influx) -> None:
    stored(own_influx, "1m:90d,1h").turn()
    shortened = Database(own_influx, "waits", raw="3d")
    shortened.write((hour(6 * DAY) + S, 8.0))
    shortened.turn(0)
    assert kept(shortened) == LONG, "a continuous query may still be at work on that hour"
    shortened.turn(LATER)
    assert (kept(shortened), means(shortened)) == (SHORT, [7, 5, 1])


@pytest.mark.parametrize("ago", [6 * DAY, S], ids=["of what it deletes", "control: of now"])
def test_it_waits_for_a_reading_that_comes_in_the_last_moment(own_influx: Influx, ago: int) -> None:
    stored(own_influx, "1m:90d,1h").turn()
    shortened = Database(own_influx, "waits", raw="3d")
    shortened.between = lambda: shortened.write((hour(ago) + 2 * S, 8.0))
    shortened.turn()
    assert kept(shortened) == (LONG if ago > DAY else SHORT)
    shortened.between = lambda: None
    shortened.turn()
    assert (kept(shortened), means(shortened)[1]) == (SHORT, 5)


def test_between_two_writes_it_looks_at_new_markers_only(
    own_influx: Influx, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored(own_influx, "1m:90d,1h").turn()
    shortened = Database(own_influx, "waits", raw="3d")
    found: list[int] = []
    query = InfluxDBClient.query

    def counted(self: InfluxDBClient, statement: str, **options: Any) -> Any:  # noqa: ANN401
        result = query(self, statement, **options)
        if "FROM rollup_due" in statement:
            found.append(len(list(result.get_points())))
        return result

    monkeypatch.setattr(InfluxDBClient, "query", counted)

    def between() -> None:
        assert sum(found) > 0, "the control: before, it looks at all of them"
        found.clear()

    shortened.between = between
    monkeypatch.setattr("bridge.storage.retention._CLOCKS_NS", 0)
    shortened.shorten()
    assert kept(shortened) == SHORT
    assert found == [0]


def test_a_roll_up_that_is_kept_for_longer_now_gets_the_hours_between(own_influx: Influx) -> None:
    database = Database(own_influx, "waits", "1m:4d,1h")
    database.turn(0)
    database.write(*((hour(ago * DAY), float(ago)) for ago in DAYS))
    database.turn()
    assert means(database, "1m") == [1]
    shortened = Database(own_influx, "waits", raw="3d")
    shortened.turn()
    assert (kept(shortened), means(shortened, "1m")) == (SHORT, [6, 5, 1])


def test_a_mean_that_overflows_is_left_out_and_holds_up_nothing(own_influx: Influx) -> None:
    stored(own_influx, "1m:90d,1h")
    shortened = Database(own_influx, "waits", raw="3d")
    shortened.write(*((hour(4 * DAY) + n * S, 1.7e308) for n in range(3)))
    shortened.turn()
    assert (kept(shortened), means(shortened)) == (SHORT, [6, 5, 1])
