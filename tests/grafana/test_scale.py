"""The dashboards with retired sensors, and with very many."""

from typing import Any

import pytest

from tests.grafana.conftest import Ask, present, reading_line
from tests.grafana.dashboards import load, queries, query
from tests.stack import Influx

READINGS = load("readings")
SENSORS = 10_000
MAX_SERIES = 30  # of a panel that shows each series
MAX_ROWS = 1_000  # of the table
MAX_POINTS = 48  # of a line that aggregates all sensors


def shown(ask: Ask, kinds: list[str] | None = None) -> list[str]:
    """Return the sensors whose lines are drawn, as Grafana asks for them."""
    chosen = {"type": kinds} if kinds else {}
    return [row["sensor_id"] for row in ask(query(READINGS, "variable", "shown"), chosen)]


def lines(ask: Ask, sensors: list[str]) -> set[str]:
    """Return the sensors with a line, in a panel of the type `temp`."""
    rows = ask(query(READINGS, "$drawn, up to 30 sensors"), {"shown": sensors, "drawn": ["temp"]})
    return {row["sensor_id"] for row in present(rows)}


def test_one_reading_of_one_sensor_leaves_no_panel_and_no_choice_empty(
    influx: Influx, database: str, ask: Ask
) -> None:
    influx.write([reading_line("123", "temp", 25, 899)], db=database)
    empty = {q.ref for q in queries(READINGS) if q.title != "annotation" and not ask(q.text)}
    assert empty == {"policy"}  # which is empty unless there are roll-ups


@pytest.fixture
def retired_sensors(influx: Influx, database: str) -> None:
    """Forty that were silent before the range, and one of each of two types in it."""
    old = [reading_line(f"a{n:02}", "temp", 5, -3600 - n) for n in range(40)]
    new = [reading_line("b", "temp", 1, 5), reading_line("c", "hum", 2, 6)]
    influx.write([*old, *new], db=database)


@pytest.mark.usefixtures("retired_sensors")
def test_retired_sensors_are_not_offered_and_hide_nobody(ask: Ask) -> None:
    assert [row["sensor_id"] for row in ask(query(READINGS, "variable", "sensor"))] == ["b", "c"]
    assert lines(ask, shown(ask)) == {"b"}
    assert [row["Sensor"] for row in ask(query(READINGS, "Table of sensors"))] == ["b", "c"]


@pytest.mark.usefixtures("retired_sensors")
def test_control_a_limit_of_series_counts_those_that_are_silent(ask: Ask) -> None:
    assert ask(query(READINGS, "$drawn, up to 30 sensors") + " SLIMIT 30") == []


def test_of_two_hundred_sensors_each_panel_draws_thirty(
    influx: Influx, database: str, ask: Ask
) -> None:
    few = [reading_line(f"z{n}", "temp", 1, 5) for n in range(30)]
    many = [reading_line(f"s{n:03}", "hum", 1, at) for n in range(170) for at in range(0, 900, 60)]
    influx.write([*few, *many], db=database)
    # Those of the other type come first, and take no place from these.
    assert lines(ask, shown(ask)) == {f"z{n}" for n in range(30)}
    assert len(set(shown(ask, ["hum"]))) == MAX_SERIES


@pytest.fixture
def many_sensors(influx: Influx, database: str) -> None:
    influx.write(
        (
            reading_line(f"s{n:05}", "temp", n % 15 + 20, at)
            for n in range(SENSORS)
            for at in (1, 9)
        ),
        db=database,
    )


@pytest.mark.usefixtures("many_sensors")
def test_every_result_for_ten_thousand_sensors_is_bounded(ask: Ask) -> None:
    chosen = {"shown": shown(ask)}
    for title, ref, text in queries(READINGS):
        rows = ask(text, chosen)
        if ref == "sensor":
            assert len(rows) == SENSORS
        elif title == "Table of sensors":
            assert len(rows) == MAX_ROWS
        else:
            assert len({row.get("sensor_id") for row in rows}) <= MAX_SERIES, title


@pytest.mark.usefixtures("many_sensors")
def test_the_totals_count_all_sensors(ask: Ask) -> None:
    assert ask(query(READINGS, "Sensors"))[0]["sensors"] == SENSORS
    assert ask(query(READINGS, "Readings"))[0]["readings"] == 2 * SENSORS


def test_a_panel_over_all_sensors_queries_few_intervals() -> None:
    # InfluxDB merges the intervals of all sensors: 10,000 sensors with 30 intervals took 2 s.
    expensive: list[Any] = [
        panel["title"]
        for panel in READINGS["panels"]
        for target in panel["targets"]
        if "time($__interval" in target["query"]
        and "${shown:regex}" not in target["query"]
        and panel.get("maxDataPoints", 1000) > MAX_POINTS
    ]
    assert expensive == []


def test_the_sensor_variable_is_limited_to_ten_thousand_values() -> None:
    assert query(READINGS, "variable", "sensor").endswith(f"LIMIT {SENSORS}")
