"""Roll-ups on a real InfluxDB: late readings, corrections, retention, kills between the steps."""

import asyncio
import time

import pytest
from influxdb.exceptions import InfluxDBClientError

from bridge.storage import Outcome, due
from bridge.storage.rollups import Rollups
from tests.integration.rolled_up import DAY, HOUR, LATER, Database, S, hour
from tests.stack import Influx, wait_for


@pytest.mark.parametrize("ago", [3 * HOUR, 20 * DAY, 80 * DAY])
def test_a_late_reading_is_in_each_roll_up_and_so_is_its_correction(
    own_influx: Influx, ago: int
) -> None:
    database = Database(own_influx, "late")
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


def test_a_reading_of_1990_is_in_the_roll_up_that_is_kept_for_ever(own_influx: Influx) -> None:
    database = Database(own_influx, "old")
    database.turn(0)
    start, recent = 20 * 365 * DAY, hour(3 * HOUR)
    database.write((start, 1.0), (recent, 2.0))
    database.turn()
    assert [at for at, *_ in database.rolled("1h")] == [start, recent]
    assert [at for at, *_ in database.rolled("1m")] == [recent]


def test_an_hour_that_ended_while_influxdb_was_down_is_rolled_up(own_influx: Influx) -> None:
    database = Database(own_influx, "punctual")
    database.turn(0)
    now = time.time_ns()
    database.write((now, 1.0))
    database.turn(0)
    assert database.rolled("1h") == [], "its hour is not over"
    own_influx.kill()
    own_influx.start()
    own_influx.wait_ready()
    database.turn(LATER)
    assert [count for *_, count in database.rolled("1h")] == [1]


def test_a_kill_between_any_two_steps_loses_no_hour(
    own_influx: Influx, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = Database(own_influx, "killed")
    database.turn(0)
    start = hour(5 * DAY)
    database.write((start, 1.0))
    own_influx.kill()
    own_influx.start()
    own_influx.wait_ready()
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


@pytest.mark.parametrize("ago", [0, 5 * DAY])
def test_control_without_its_marker_a_reading_is_not_rolled_up(
    own_influx: Influx, monkeypatch: pytest.MonkeyPatch, ago: int
) -> None:
    database = Database(own_influx, "control")
    database.turn(0)
    monkeypatch.setattr(due, "lines", lambda *_: [])
    database.write((hour(ago), 1.0))
    database.turn()
    assert database.rolled("1h") == []


# A shard of seven days may be there already, for now: it ends too late to expire.
LAST_WEEK = 8 * DAY


class Killed(Exception):
    """The bridge ends here."""


def killed(*_: object) -> None:
    raise Killed


def expired(own_influx: Influx, start: int) -> Database:
    """Return a database that has rolled up an hour, and lost its readings: 1 and 3."""
    database = Database(own_influx, "expired", raw="12d")
    database.turn(0)
    database.write((start, 1.0), (start + S, 3.0))
    database.turn()
    shortened = Database(own_influx, "expired", raw="3d")
    shortened.turn()
    wait_for(lambda: not shortened.query("SELECT * FROM data"), 30, "the readings have expired")
    return shortened


def test_what_the_raw_readings_have_lost_stays_in_the_roll_ups(own_influx: Influx) -> None:
    start, recent = hour(LAST_WEEK), hour(DAY)
    shortened = expired(own_influx, start)
    assert shortened.write((start + 2 * S, 9.0)) is Outcome.REJECTED
    shortened.turn()
    assert shortened.rolled("1h") == [(start, 2.0, 2)]
    # InfluxDB takes it now, but the other readings of that hour are gone.
    lengthened = Database(own_influx, "expired", raw="12d")
    assert lengthened.write((start + 2 * S, 9.0), (recent, 5.0)) is Outcome.STORED
    lengthened.turn()
    assert lengthened.rolled("1h") == [(start, 2.0, 2), (recent, 5.0, 1)]


def test_control_a_horizon_that_is_not_minded_is_noticed(
    own_influx: Influx, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = hour(LAST_WEEK)
    expired(own_influx, start)
    monkeypatch.setattr(Rollups, "_horizon", lambda _: 0)
    lengthened = Database(own_influx, "expired", raw="12d")
    lengthened.write((start + 2 * S, 9.0))
    lengthened.turn()
    assert lengthened.rolled("1h") == [(start, 9.0, 1)]


def test_an_hour_that_cannot_be_rolled_up_does_not_hold_up_others(own_influx: Influx) -> None:
    database = Database(own_influx, "conflict")
    database.turn(0)
    bad, good = hour(80 * DAY), hour(3 * HOUR)
    database.write_by_hand(f'data,sensor_id=7,type=temp value="x" {bad}', "rollup_1m")
    database.write((bad, 1.0), (good, 2.0))
    for _ in range(2):
        with pytest.raises(InfluxDBClientError, match="field type conflict"):
            database.turn()
    assert database.rolled("1m")[-1] == (good, 2.0, 1)


def test_of_a_write_with_refused_readings_the_number_of_these_is_told(own_influx: Influx) -> None:
    database = Database(own_influx, "counted", raw="3d")
    database.turn(0)
    old = [(hour(10 * DAY) + n, 1.0) for n in range(3)]
    records = [database.storage.reading("7/temp", v, ns) for ns, v in [*old, (hour(DAY), 1.0)]]
    result = asyncio.run(database.storage.write(records))
    assert (result.outcome, result.dropped, result.oldest) == (Outcome.REJECTED, 3, True)


def test_readings_of_before_are_rolled_up_when_it_is_set(own_influx: Influx) -> None:
    before = Database(own_influx, "before", rollups="")
    start = hour(50 * DAY)
    before.write((start, 1.0), (start + HOUR, 2.0))
    before.write((0, 5.0), sensor="8")
    after = Database(own_influx, "before")
    after.turn(0)
    assert after.rolled("1h") == [(start, 1.0, 1), (start + HOUR, 2.0, 1)]
    assert after.rolled("1h", "8") == [(0, 5.0, 1)]
    # So they are when it was not set for a while.
    before.turn()
    before.write((start, 3.0))
    after.turn(0)
    assert after.rolled("1h")[0] == (start, 3.0, 1)
