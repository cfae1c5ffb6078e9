"""Every query of the dashboard "Readings" against a real InfluxDB."""

from typing import Any

import pytest

from tests.grafana.conftest import PPM, SPECIAL, Ask, at, present, reading_line
from tests.grafana.dashboards import load, queries, query
from tests.grafana.interpolation import interpolate
from tests.stack import Influx

READINGS = load("readings")
TABLE = "Table of sensors"
LINES = "$drawn, up to 30 sensors"


def row(sensor: str, kind: str, seconds: int, **values: float) -> dict[str, Any]:
    return {"sensor_id": sensor, "type": kind, "time": at(seconds), **values}


def entry(sensor: str, kind: str, seconds: int, value: float) -> dict[str, Any]:
    return {"Sensor": sensor, "Type": kind, "time": at(seconds), "Value": value}


LATEST = [
    entry("1.5", "temp", 2, 1),
    entry("123", "temp", 12, 25.5),
    entry("1x5", "temp", 2, 99),
    entry(SPECIAL, PPM, 7, 400),
    entry(SPECIAL, "temp", 3, 7.25),
]
EXPECTED: dict[tuple[str, str], list[dict[str, Any]]] = {
    ("Sensors", "A"): [{"time": 0, "sensors": 4}],
    ("Readings", "A"): [{"time": at(0), "readings": 7}],
    ("Newest reading", "A"): [{"time": at(12), "latest": 25.5}],
    (LINES, "A"): [
        row("1.5", "temp", 0, value=1),
        row("123", "temp", 0, value=21),
        row("123", "temp", 10, value=25.5),
        row("1x5", "temp", 0, value=99),
        row(SPECIAL, PPM, 0, value=400),
        row(SPECIAL, "temp", 0, value=7.25),
    ],
    ("Rate of readings", "A"): [
        {"type": kind, "time": at(seconds), "rate": rates.get(seconds, 0)}
        for kind, rates in ((PPM, {0: 0.1}), ("temp", {0: 0.5, 10: 0.1}))
        for seconds in range(0, 900, 10)
    ],
    (TABLE, "A"): LATEST,
    ("variable", "policy"): [],
    ("variable", "type"): [{"time": at(0), "type": kind} for kind in (PPM, "temp")],
    ("variable", "sensor"): [
        {"time": at(0), "sensor_id": sensor} for sensor in ("1.5", "123", "1x5", SPECIAL)
    ],
    ("variable", "drawn"): [{"time": at(0), "type": kind} for kind in (PPM, "temp")],
    ("variable", "shown"): [
        row(SPECIAL, PPM, 0),
        *(row(sensor, "temp", 0) for sensor in ("1.5", "123", "1x5", SPECIAL)),
    ],
    ("annotation", "Restarts"): [],
    ("annotation", "Outages (s)"): [],
}


def test_every_query_has_an_expected_result() -> None:
    assert {(q.title, q.ref) for q in queries(READINGS)} == set(EXPECTED)


@pytest.mark.usefixtures("written")
@pytest.mark.parametrize(("title", "ref"), EXPECTED)
def test_a_query_returns_what_was_written(ask: Ask, title: str, ref: str) -> None:
    assert present(ask(query(READINGS, title, ref))) == EXPECTED[title, ref]


@pytest.mark.usefixtures("written")
@pytest.mark.parametrize(
    "sensors", [["123"], ["1.5"], ["1x5"], [SPECIAL], ["123", SPECIAL], ["no such sensor"]]
)
@pytest.mark.parametrize("kinds", [[PPM], ["temp"], [PPM, "temp"]])
def test_the_variables_select_exactly(ask: Ask, sensors: list[str], kinds: list[str]) -> None:
    selected = {"sensor": sensors, "type": kinds}
    expected = [row for row in LATEST if row["Sensor"] in sensors and row["Type"] in kinds]
    assert ask(query(READINGS, TABLE), selected) == expected
    shown = {row["sensor_id"] for row in ask(query(READINGS, "variable", "shown"), selected)}
    assert shown == {row["Sensor"] for row in expected}
    drawn = [row["type"] for row in ask(query(READINGS, "variable", "drawn"), selected)]
    assert drawn == sorted({row["Type"] for row in expected})
    counted = ask(query(READINGS, "Sensors"), selected)
    assert [row["sensors"] for row in counted] == [count for count in [len(shown)] if count]


@pytest.mark.usefixtures("written")
def test_every_panel_query_uses_both_variables(ask: Ask) -> None:
    no_sensor = {key: ["no such sensor"] for key in ("sensor", "shown")}
    no_type = {key: ["no such type"] for key in ("type", "drawn")}
    for title, ref, text in queries(READINGS):
        if title not in ("variable", "annotation"):
            assert ask(text, no_sensor) == [], (title, ref)
            assert ask(text, no_type) == [], (title, ref)


@pytest.mark.usefixtures("written")
def test_the_sensors_offered_depend_on_the_selected_type(ask: Ask) -> None:
    offered = ask(query(READINGS, "variable", "sensor"), {"type": [PPM]})
    assert [row["sensor_id"] for row in offered] == [SPECIAL]


@pytest.mark.usefixtures("written")
def test_control_a_variable_without_a_format_also_matches_another_sensor(ask: Ask) -> None:
    text = query(READINGS, TABLE).replace("${sensor:regex}", "$sensor")
    seen = {row["Sensor"] for row in ask(text, {"sensor": ["1.5"]})}
    assert seen == {"1.5", "1x5"}


@pytest.mark.usefixtures("written")
def test_control_a_wrong_field_is_noticed(ask: Ask) -> None:
    for key, expected in EXPECTED.items():
        if expected:
            text = query(READINGS, *key).replace('"value"', '"valve"')
            assert present(ask(text)) != expected, key


@pytest.mark.usefixtures("written")
def test_where_nothing_arrived_the_line_has_a_gap(ask: Ask) -> None:
    rows = ask(query(READINGS, LINES), {"shown": ["123"]})
    assert [row["value"] for row in rows] == [21, 25.5, *[None] * 89]


def test_a_steady_rate_is_a_straight_line_to_both_ends(influx: Influx, database: str) -> None:
    influx.write((reading_line("123", "temp", 20, n) for n in range(900)), db=database)
    text = query(READINGS, "Rate of readings")

    def rates(text: str) -> list[float]:
        filled = interpolate(text, (at(107), at(707)), interval_s=20)
        return [row["rate"] for row in influx.query(filled, db=database)]

    assert rates(text) == [1] * 30
    control = rates(text.replace(", ${__to}ms", ""))
    assert (control[0], control[-1]) == (0.65, 0.35)


CONFIGURATION = [
    'rp_config,rp=forever policy="forever",start=0i,end=300000i 0',
    'rp_config,rp=rollup_1m policy="rollup_1m",start=300000i,end=9000000i 0',
]


@pytest.mark.usefixtures("written")
def test_a_long_range_reads_the_roll_up(influx: Influx, database: str, ask: Ask) -> None:
    influx.query(f'CREATE RETENTION POLICY "rollup_1m" ON "{database}" DURATION 0s REPLICATION 1')
    influx.write(CONFIGURATION, db=database)
    [chosen] = ask(query(READINGS, "variable", "policy"))
    assert chosen["policy"] == "rollup_1m"
    policy = {"policy": ["rollup_1m"]}
    rolled = [q for q in queries(READINGS) if "policy:raw" in q.text]
    assert len(rolled) == 4
    assert not any(ask(q.text, policy) for q in rolled)
    whole = f"time >= {at(0)}ms AND time <= {at(900)}ms"
    mean = 'SELECT mean("value") AS "value" INTO "rollup_1m"."data" FROM "data"'
    influx.query(f"{mean} WHERE {whole} GROUP BY time(1m), *", db=database)
    assert all(ask(q.text, policy) for q in rolled)
    [line] = present(ask(query(READINGS, LINES), {**policy, "shown": ["123"]}))
    assert line == row("123", "temp", 0, value=22.5)


@pytest.mark.usefixtures("written")
def test_without_a_choice_the_default_policy_is_read_whatever_its_name(
    influx: Influx, database: str, ask: Ask
) -> None:
    influx.write(CONFIGURATION[1:], db=database)  # nothing for a shorter range
    influx.query(
        f'CREATE RETENTION POLICY "forever" ON "{database}" DURATION 0s REPLICATION 1 DEFAULT'
    )
    influx.write(f"data,sensor_id=new,type=temp value=1 {at(1)}000000", db=database)
    offered = ask(query(READINGS, "variable", "sensor"))
    assert [row["sensor_id"] for row in offered] == ["new"]


def test_an_empty_database_gives_no_error(ask: Ask) -> None:
    assert not any(ask(q.text) for q in queries(READINGS))
