"""Which types are known to Home Assistant as what, and in which unit."""

import json
import re

import pytest
from hypothesis import given

from collector.publishing.quantities import LAST, WHOLE, Quantity, quantity
from run.configuration import ROOT
from tests.home_assistant import check_class
from tests.readme.documents import rows, section
from tests.unit.messages import LABELS

TABLE = {**WHOLE, **LAST}
# What Grafana calls the units.
GRAFANA = {
    "celsius": "°C", "percent": "%", "pressurehpa": "hPa", "ppm": "ppm", "lux": "lx", "watt": "W",
    "conμgm3": "µg/m³", "suffix: kWh": "kWh", "amp": "A", "dBm": "dBm",
}  # fmt: skip


@pytest.mark.parametrize("name", TABLE)
def test_class_unit_and_state_class_go_together(name: str) -> None:
    known = TABLE[name]
    check_class(known.device_class, known.unit, known.state_class)


@pytest.mark.parametrize(
    ("device_class", "unit", "state_class"),
    [
        ("temperature", "%", "measurement"),
        ("temperature", None, "measurement"),
        ("energy", "kWh", "measurement"),
    ],
)
def test_control_a_wrong_pair_is_noticed(
    device_class: str, unit: str | None, state_class: str
) -> None:
    with pytest.raises(AssertionError):
        check_class(device_class, unit, state_class)


@pytest.mark.parametrize(
    ("type_", "device_class", "unit"),
    [
        ("temp", "temperature", "°C"),
        ("Temp", "temperature", "°C"),
        ("temperature", "temperature", "°C"),
        ("temp_2", "temperature", "°C"),
        ("indoor_temperature", "temperature", "°C"),
        ("indoor-temperature", "temperature", "°C"),
        ("AM2301_Humidity", "humidity", "%"),
        ("local_temperature", "temperature", "°C"),
        ("temperature_0_tC", "temperature", "°C"),
        ("temperature_0_tF", "temperature", "°F"),
        ("humidity", "humidity", "%"),
        ("pressure", "pressure", "hPa"),
        ("battery", "battery", "%"),
        ("power", "power", "W"),
        ("ENERGY_Power", "power", "W"),
        ("ENERGY_Voltage", "voltage", "V"),
        ("ENERGY_Total", "energy", "kWh"),
        ("energy", "energy", "kWh"),
        ("switch_0_aenergy_total", "energy", "Wh"),
        ("co2", "carbon_dioxide", "ppm"),
        ("soil_moisture", "moisture", "%"),
    ],
)
def test_the_usual_types_are_known(type_: str, device_class: str, unit: str) -> None:
    found = quantity(type_)
    assert (found.device_class, found.unit) == (device_class, unit)


@pytest.mark.parametrize(
    "type_",
    [
        "voltage",  # V, or mV of a battery
        "POWER",  # a switch
        "POWER1",
        "color_temp",
        "AM2301_Temperature",
        "DS18B20-1_Temperature",
        "AM2301_DewPoint",
        "color_temperature",
        "light_colour_temperature",
        "tx_power",  # dBm
        "tyre_pressure",  # bar
        "relay_0_energy",  # watt-minutes
        "battery_low",
        "temperature_calibration_mode",
        "temperatures",
        "contact",
        "température",
        "2",
        "_",
    ],
)
def test_what_may_be_something_else_has_no_unit(type_: str) -> None:
    assert quantity(type_) == Quantity(None, None, "measurement")


@given(LABELS)
def test_any_type_is_known_or_is_a_number_without_a_unit(type_: str) -> None:
    found = quantity(type_)
    assert found in TABLE.values() or found == Quantity()


def test_the_documentation_has_the_same_table() -> None:
    shown = {
        name: (device_class, unit)
        for names, device_class, unit in rows(section("docs/home-assistant.md", "Types and units"))
        for name in re.findall(r"`([^`]+)`", names)
    }
    known = WHOLE | {f"…{name}": measured for name, measured in LAST.items()}
    assert shown == {
        name: (measured.device_class, measured.unit)
        for name, measured in known.items()
        if measured.device_class
    }


def test_the_units_are_those_of_the_dashboard() -> None:
    dashboard = json.loads((ROOT / "grafana/dashboards/readings.json").read_text("utf-8"))
    overrides = [
        (override["matcher"]["options"].strip("/"), GRAFANA[one["value"]])
        for panel in dashboard["panels"]
        for override in panel["fieldConfig"]["overrides"]
        if override["matcher"]["id"] == "byRegexp"
        for one in override["properties"]
        if one["id"] == "unit"
    ]
    units = {}
    for pattern, unit in overrides:
        for type_ in re.findall(r"\w+", pattern):
            assert re.search(pattern, f"7 {type_}")  # as Grafana names a series
            units[type_] = unit
    assert {"temp", "temperature", "hum", "humidity", "press", "pressure"} <= units.keys()
    assert units == {type_: quantity(type_).unit for type_ in units}
