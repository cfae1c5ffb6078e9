"""Every query of the dashboard "Readings" against a real InfluxDB."""

from typing import Any

import pytest

from tests.grafana.conftest import PPM, SPECIAL, Ask, at
from tests.grafana.dashboards import load, queries, query

READINGS = load("readings")


def row(sensor: str, kind: str, seconds: int, **values: float) -> dict[str, Any]:
    return {"sensor_id": sensor, "type": kind, "time": at(seconds), **values}


LATEST = [
    row("1.5", "temp", 2, latest=1),
    row("123", "temp", 12, latest=25.5),
    row("1x5", "temp", 2, latest=99),
    row(SPECIAL, PPM, 7, latest=400),
    row(SPECIAL, "temp", 3, latest=7.25),
]
EXPECTED: dict[tuple[str, str], list[dict[str, Any]]] = {
    ("Sensors", "A"): [{"time": 0, "sensors": 4}],
    ("Readings", "A"): [{"time": at(0), "readings": 7}],
    ("Newest reading", "A"): [{"time": at(12), "latest": 25.5}],
    ("Readings by type", "A"): [
        {"type": PPM, "time": at(5), "mean": 400},
        {"type": "temp", "time": at(0), "mean": 29.85},
        {"type": "temp", "time": at(10), "mean": 25.5},
    ],
    ("Rate of readings", "A"): [
        {"type": kind, "time": at(seconds), "rate": rates.get(seconds, 0)}
        for kind, rates in ((PPM, {5: 0.2}), ("temp", {0: 1, 10: 0.2}))
        for seconds in range(0, 901, 5)
    ],
    ("Readings of each sensor", "A"): [
        row("1.5", "temp", 0, value=1),
        row("123", "temp", 0, value=21),
        row("123", "temp", 10, value=25.5),
        row("1x5", "temp", 0, value=99),
        row(SPECIAL, PPM, 5, value=400),
        row(SPECIAL, "temp", 0, value=7.25),
    ],
    ("Latest value of each sensor", "A"): LATEST,
    ("Table of sensors", "A"): LATEST,
    ("Table of sensors", "B"): [
        row("1.5", "temp", 0, readings=1),
        row("123", "temp", 0, readings=3),
        row("1x5", "temp", 0, readings=1),
        row(SPECIAL, PPM, 0, readings=1),
        row(SPECIAL, "temp", 0, readings=1),
    ],
    ("variable", "type"): [{"key": "type", "value": PPM}, {"key": "type", "value": "temp"}],
    ("variable", "sensor"): [
        {"key": "sensor_id", "value": sensor}
        for sensor in ("1.5", "123", "1x5", SPECIAL, "long ago")
    ],
}


def test_every_query_has_an_expected_result() -> None:
    assert {(q.title, q.ref) for q in queries(READINGS)} == set(EXPECTED)


@pytest.mark.usefixtures("written")
@pytest.mark.parametrize(("title", "ref"), EXPECTED)
def test_a_query_returns_what_was_written(ask: Ask, title: str, ref: str) -> None:
    assert ask(query(READINGS, title, ref)) == EXPECTED[title, ref]


@pytest.mark.usefixtures("written")
@pytest.mark.parametrize(
    "sensors", [["123"], ["1.5"], ["1x5"], [SPECIAL], ["123", SPECIAL], ["no such sensor"]]
)
@pytest.mark.parametrize("kinds", [[PPM], ["temp"], [PPM, "temp"]])
def test_the_variables_select_exactly(ask: Ask, sensors: list[str], kinds: list[str]) -> None:
    selected = {"sensor": sensors, "type": kinds}
    expected = [row for row in LATEST if row["sensor_id"] in sensors and row["type"] in kinds]
    for title in ("Latest value of each sensor", "Table of sensors"):
        assert ask(query(READINGS, title), selected) == expected
    counted = ask(query(READINGS, "Sensors"), selected)
    assert [row["sensors"] for row in counted] == [
        count for count in [len({row["sensor_id"] for row in expected})] if count
    ]


@pytest.mark.usefixtures("written")
def test_every_panel_query_uses_both_variables(ask: Ask) -> None:
    for title, ref, text in queries(READINGS):
        if title != "variable":
            assert ask(text, {"sensor": ["no such sensor"]}) == [], (title, ref)
            assert ask(text, {"type": ["no such type"]}) == [], (title, ref)


@pytest.mark.usefixtures("written")
def test_the_sensors_offered_depend_on_the_selected_type(ask: Ask) -> None:
    offered = ask(query(READINGS, "variable", "sensor"), {"type": [PPM]})
    assert offered == [{"key": "sensor_id", "value": SPECIAL}]


@pytest.mark.usefixtures("written")
def test_control_a_variable_without_a_format_also_matches_another_sensor(ask: Ask) -> None:
    text = query(READINGS, "Latest value of each sensor").replace("${sensor:regex}", "$sensor")
    seen = {row["sensor_id"] for row in ask(text, {"sensor": ["1.5"]})}
    assert seen == {"1.5", "1x5"}


@pytest.mark.usefixtures("written")
def test_control_a_wrong_field_is_noticed(ask: Ask) -> None:
    for key, expected in EXPECTED.items():
        if key[0] != "variable":
            assert ask(query(READINGS, *key).replace('"value"', '"valve"')) != expected, key
