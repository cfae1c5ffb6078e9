"""The dashboards with a single reading, and with ten thousand sensors."""

from typing import Any

import pytest

from tests.grafana.conftest import Ask, reading_line
from tests.grafana.dashboards import load, queries, query
from tests.stack import Influx

READINGS = load("readings")
SENSORS = 10_000
MAX_SERIES = 50  # of a panel that shows each series
MAX_ROWS = 1_000  # of the table
MAX_POINTS = 30  # of a line that aggregates all sensors


def series(rows: list[dict[str, Any]]) -> int:
    return len({(row.get("sensor_id"), row.get("type")) for row in rows})


def test_one_reading_of_one_sensor_leaves_no_panel_and_no_variable_empty(
    influx: Influx, database: str, ask: Ask
) -> None:
    influx.write([reading_line("123", "temp", 25, 899)], db=database)
    empty = [q.title for q in queries(READINGS) if not ask(q.text)]
    assert empty == []


@pytest.fixture
def many_sensors(influx: Influx, database: str) -> None:
    lines = [
        reading_line(f"s{n:05}", "temp", n % 15 + 20, at) for n in range(SENSORS) for at in (1, 9)
    ]
    influx.write(lines, db=database)


@pytest.mark.usefixtures("many_sensors")
def test_every_result_for_ten_thousand_sensors_is_bounded(ask: Ask) -> None:
    for title, ref, text in queries(READINGS):
        rows = ask(text)
        if title == "variable":
            assert len(rows) <= SENSORS
        elif title == "Table of sensors":
            assert len(rows) == MAX_ROWS, ref
        else:
            assert series(rows) <= MAX_SERIES, title


@pytest.mark.usefixtures("many_sensors")
def test_both_queries_of_the_table_return_the_same_sensors(ask: Ask) -> None:
    latest, counted = (ask(query(READINGS, "Table of sensors", ref)) for ref in "AB")
    assert [row["sensor_id"] for row in latest] == [row["sensor_id"] for row in counted]


@pytest.mark.usefixtures("many_sensors")
def test_the_totals_count_all_sensors(ask: Ask) -> None:
    assert ask(query(READINGS, "Sensors"))[0]["sensors"] == SENSORS
    assert ask(query(READINGS, "Readings"))[0]["readings"] == 2 * SENSORS


@pytest.mark.usefixtures("many_sensors")
def test_control_without_its_limit_a_panel_shows_every_sensor(ask: Ask) -> None:
    text = query(READINGS, "Readings of each sensor")
    assert series(ask(text)) < series(ask(text.replace("SLIMIT 30", ""))) == SENSORS


def test_a_panel_over_all_sensors_queries_few_intervals() -> None:
    # InfluxDB merges the intervals of all sensors: 10,000 sensors with 30 intervals took 2 s.
    expensive = [
        panel["title"]
        for panel in READINGS["panels"]
        for target in panel["targets"]
        if "time($__interval)" in target["query"]
        and "SLIMIT 30" not in target["query"]
        and panel.get("maxDataPoints", 1000) > MAX_POINTS
    ]
    assert expensive == []


def test_the_sensor_variable_is_limited_to_ten_thousand_values() -> None:
    assert query(READINGS, "variable", "sensor").endswith(f"LIMIT {SENSORS}")
