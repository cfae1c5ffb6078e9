"""One sensor that has just begun fills every panel; ten thousand do not drown the browser."""

from typing import Any

import pytest

from tests.grafana.conftest import Ask, reading
from tests.grafana.dashboards import load, queries, query
from tests.stack import Influx

READINGS = load("readings")
SENSORS = 10_000
LINES_MOST = 50  # of a panel that draws or lists each of its series at once
ROWS_MOST = 1_000  # of the table
POINTS_MOST = 30  # of a line that all sensors are counted into


def series(rows: list[dict[str, Any]]) -> int:
    return len({(row.get("sensor_id"), row.get("type")) for row in rows})


def test_one_reading_of_one_sensor_leaves_no_panel_and_no_variable_empty(
    influx: Influx, database: str, ask: Ask
) -> None:
    influx.write([reading("123", "temp", 25, 899)], db=database)
    empty = [q.title for q in queries(READINGS) if not ask(q.text)]
    assert empty == []


@pytest.fixture
def crowd(influx: Influx, database: str) -> None:
    """Write two readings of each of ten thousand sensors."""
    lines = [reading(f"s{n:05}", "temp", n % 15 + 20, at) for n in range(SENSORS) for at in (1, 9)]
    influx.write(lines, db=database)


@pytest.mark.usefixtures("crowd")
def test_every_answer_about_ten_thousand_sensors_is_bounded(ask: Ask) -> None:
    for title, ref, text in queries(READINGS):
        rows = ask(text)
        if title == "variable":
            assert len(rows) <= SENSORS
        elif title == "Table of sensors":
            assert len(rows) == ROWS_MOST, ref
        else:
            assert series(rows) <= LINES_MOST, title


@pytest.mark.usefixtures("crowd")
def test_both_queries_of_the_table_speak_of_the_same_sensors(ask: Ask) -> None:
    latest, counted = (ask(query(READINGS, "Table of sensors", ref)) for ref in "AB")
    assert [row["sensor_id"] for row in latest] == [row["sensor_id"] for row in counted]


@pytest.mark.usefixtures("crowd")
def test_the_figures_count_all_sensors(ask: Ask) -> None:
    assert ask(query(READINGS, "Sensors"))[0]["sensors"] == SENSORS
    assert ask(query(READINGS, "Readings"))[0]["readings"] == 2 * SENSORS


@pytest.mark.usefixtures("crowd")
def test_control_without_its_limit_a_panel_would_draw_every_sensor(ask: Ask) -> None:
    text = query(READINGS, "Readings of each sensor")
    assert series(ask(text)) < series(ask(text.replace("SLIMIT 30", ""))) == SENSORS


def test_a_panel_over_all_sensors_asks_for_few_intervals() -> None:
    # InfluxDB merges all sensors' intervals one by one: 10,000 sensors times 30 took it 2 s.
    crowded = [
        panel["title"]
        for panel in READINGS["panels"]
        for target in panel["targets"]
        if "time($__interval)" in target["query"]
        and "SLIMIT 30" not in target["query"]
        and panel.get("maxDataPoints", 1000) > POINTS_MOST
    ]
    assert crowded == []


def test_the_choice_of_sensors_ends_at_ten_thousand() -> None:
    assert query(READINGS, "variable", "sensor").endswith(f"LIMIT {SENSORS}")
