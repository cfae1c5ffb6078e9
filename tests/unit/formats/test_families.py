"""Messages of each family become the readings that a user expects."""

import tomllib
from pathlib import Path
from typing import Any

import pytest
from msgspec import UNSET

from collector.formats.catalog import families
from collector.formats.formats import Formats
from collector.intake.draft import draft

CASES: dict[str, list[dict[str, Any]]] = tomllib.loads(
    Path(__file__).with_name("cases.toml").read_text(encoding="utf-8")
)
EVERY = ["all", *families()]
# Topics beside those of readings, which the same devices use.
NOT_TAKEN = [
    "zigbee2mqtt/bridge/state",
    "zigbee2mqtt/bridge/devices",
    "zigbee2mqtt/bridge",
    "zigbee2mqtt/kitchen/availability",
    "zigbee2mqtt/attic/lamp/set",
    "zigbee2mqtt/lamp/set/state",
    "zigbee2mqtt/lamp/get",
    "zigbee2mqtt/button/action",
    "shellies/announce",
    "shellies/shelly1-aabbcc/announce",
    "shellies/shelly1-aabbcc/relay/0/command",
    "shellies/shelly1-aabbcc/roller/0/command/pos",
    "shellies/shelly1-aabbcc/input_event/0",
    "shellyplus1-aabbcc/rpc",
    "shellyplus1-aabbcc/online",
    "shellyplus1-aabbcc/status/sys",
    "kitchen/events/rpc",
    "status/collector/0123456789ab",
    "readings/status/shelly",
    "readings/sensor/temp",
    "devices/shelly/temp",
    "owntracks/anna/phone/event",
    "owntracks/anna",
    "v3/garden@ttn/devices/soil-1/join",
    "homeassistant/sensor/kitchen/temperature/config",
    "homeassistant/sensor/kitchen/config",
    "homeassistant/status",
    "stat/plug/POWER",
    "tele/plug/LWT",
    "cmnd/plug/POWER",
    "greenhouse/status",
    "greenhouse/sensor/soil/config",
]


def formats(*names: str) -> Formats:
    return Formats.load(",".join(names), "", "Europe/Berlin")


@pytest.mark.parametrize(
    ("family", "case"),
    [
        pytest.param(family, case, id=f"{family}: {case['about']}")
        for family, cases in CASES.items()
        for case in cases
    ],
)
def test_a_message_becomes_these_readings(family: str, case: dict[str, Any]) -> None:
    for chosen in (formats(family), formats(*EVERY)):
        readings, skipped = chosen.read(case["topic"], case["payload"].encode())
        found = [[r.sensor_id, r.type, r.value, r.ts] for r in readings]
        assert found == [[*one, UNSET][:4] for one in case["readings"]]
        assert skipped == case.get("skipped", 0)
        assert all(draft(reading) for reading in readings)
        assert chosen.takes(case["topic"])


def test_every_family_has_a_case() -> None:
    assert CASES.keys() == families().keys()


@pytest.mark.parametrize("family", families())
def test_a_message_of_another_family_is_not_taken(family: str) -> None:
    others = [case for name, cases in CASES.items() if name != family for case in cases]
    assert [case["topic"] for case in others if formats(family).takes(case["topic"])] == []


@pytest.mark.parametrize("topic", NOT_TAKEN)
def test_another_topic_of_such_devices_is_not_taken(topic: str) -> None:
    chosen = formats(*EVERY)
    assert not chosen.takes(topic)
    assert chosen.read(topic, b"no JSON") == ([], 0)


@pytest.mark.parametrize("family", families())
def test_each_family_names_its_documentation(family: str) -> None:
    assert families()[family].about
    assert families()[family].documentation.startswith("https://")


def test_all_is_what_cannot_be_mistaken() -> None:
    assert formats("all").subscriptions == [
        "owntracks/+/+",
        "shellies/+/#",
        "+/events/rpc",
        "tele/+/SENSOR",
        "tele/+/STATE",
        "v3/+/devices/+/up",
        "zigbee2mqtt/#",
    ]
