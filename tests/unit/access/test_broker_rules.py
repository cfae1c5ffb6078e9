"""devices.acl: what it allows, as Mosquitto reads it."""

from collections import defaultdict
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from paho.mqtt.client import topic_matches_sub

from collector.access.broker import Terms, rules
from collector.access.identity import Identity
from collector.access.register import SIMULATOR, Entry, Register
from telemetry.reading import label_fault

LOOPBACK = Terms(opened=False, families=["tele/+/SENSOR"], announced="homeassistant")
LABELS = st.text(st.characters(exclude_characters="/+#", codec="utf-8"), min_size=1, max_size=8)
SENSORS = LABELS.filter(lambda label: label_fault(label) is None)


def entry(name: str, *sensors: str, reader: bool = False) -> Entry:
    return Entry(name, list(sensors), "", "", reader)


def allowed(
    entries: Sequence[Entry], terms: Terms, *, closed: bool = False
) -> dict[str, dict[str, list[str]]]:
    """Return the filters by user ("" for everybody) and by read or write, as Mosquitto parses."""
    found: dict[str, dict[str, list[str]]] = defaultdict(lambda: {"read": [], "write": []})
    user = ""
    for line in "\n".join(rules(Register(list(entries), closed), terms)).split("\n"):
        if line.startswith("#"):
            continue
        word, _, rest = line.rstrip(" \t").partition(" ")
        if word == "user":
            user = rest
        else:
            assert word == "topic"
            access, _, topic = rest.partition(" ")
            found[user][access].append(topic)
    return found


def may_write(filters: dict[str, list[str]], topic: str) -> bool:
    return any(topic_matches_sub(one, topic) for one in filters["write"])


def test_everybody_on_loopback_may_send_until_there_is_a_device() -> None:
    for entries in ([], [entry(SIMULATOR, "*")]):
        anonymous = allowed(entries, LOOPBACK)[""]
        assert anonymous == {
            "read": ["readings/#", "status/#", "homeassistant/#", "accepted/#", "refused/#"],
            "write": ["devices/#", "tele/+/SENSOR"],
        }
    anonymous = allowed([entry("kitchen", "kitchen")], LOOPBACK)[""]
    assert anonymous == {"read": ["readings/#", "status/#", "homeassistant/#"], "write": []}


@pytest.mark.parametrize("closed", [True, False])
def test_what_was_closed_stays_closed_without_a_device(closed: bool) -> None:
    anonymous = allowed([entry(SIMULATOR, "*")], LOOPBACK, closed=closed)[""]
    assert may_write(anonymous, "devices/kitchen/t") != closed
    assert "readings/#" in anonymous["read"]


def test_opened_to_the_network_nobody_without_a_name_does_anything() -> None:
    terms = LOOPBACK._replace(opened=True)
    assert "" not in allowed([], terms)
    assert next(rules(Register([]), terms)) == "# opened to the network"


def test_a_device_has_the_topics_of_its_sensors() -> None:
    found = allowed([entry("kitchen", "kitchen", "k-*")], LOOPBACK)["kitchen"]
    assert found == {
        "read": ["to/kitchen/#", "accepted/kitchen", "refused/kitchen"],
        "write": ["from/kitchen/#", "devices/kitchen", "devices/kitchen/#"],
    }


def test_a_reader_reads_and_a_gateway_sends_for_all() -> None:
    found = allowed([entry("grafana-live", reader=True), entry("gateway", "*")], LOOPBACK)
    assert found["grafana-live"]["read"][1:] == [
        *("readings/#", "status/#", "rejected/#", "homeassistant/#"),
    ]
    assert found["grafana-live"]["write"] == ["from/grafana-live/#"]
    assert found["gateway"]["write"] == ["from/gateway/#", "devices/#", "tele/+/SENSOR"]


@given(SENSORS, SENSORS)
def test_a_sensor_id_opens_no_other_sensor(sensor: str, other: str) -> None:
    mine = allowed([entry("one", sensor)], LOOPBACK)["one"]
    if may_write(mine, f"devices/{other}/temp"):
        assert Identity("one", [sensor]).may_send(other)
    assert not may_write(mine, f"readings/{other}/temp")
    assert not may_write(mine, f"from/two/devices/{other}/temp")


@pytest.mark.parametrize("sensor", ["kitchen ", "kitchen  "])
def test_a_space_that_mosquitto_would_strip_opens_nothing(sensor: str) -> None:
    mine = allowed([entry("one", sensor)], LOOPBACK)["one"]
    assert not may_write(mine, "devices/kitchen/temp")
