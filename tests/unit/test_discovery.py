"""What is announced to Home Assistant, when, and how many at a time."""

import asyncio
import json
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import ValidationError

from collector.outbox.outbox import Outbox
from collector.outbox.row import Draft
from collector.publishing import discovery
from collector.publishing.discovery import WINDOW, Discovery, config, config_topic
from telemetry import __version__
from telemetry.mqtt import NotConnected
from tests.builders import Json
from tests.home_assistant import TOPIC, Sensor
from tests.unit.messages import LABELS

STATUS = "status/collector/ab"


class Rig:
    """An outbox with its discovery, and a broker that acknowledges on demand."""

    def __init__(self, directory: Path) -> None:
        self.loop = asyncio.new_event_loop()
        self.path = directory / "outbox.db"
        self.up = False
        self.sent: list[tuple[str, Json]] = []
        self.unacknowledged: list[int] = []
        self.start()

    def start(self) -> None:
        async def start() -> None:
            self.outbox = Outbox(self.path, max_bytes=1 << 30, keep_s=3600)

        self.loop.run_until_complete(start())
        self.discovery = Discovery(self.outbox, "ha", STATUS, self._publish)

    def restart(self) -> None:
        self.outbox.close()
        self.up = False
        self.sent.clear()
        self.unacknowledged.clear()
        self.start()

    def close(self) -> None:
        self.outbox.close()
        self.loop.close()

    def _publish(self, topic: str, payload: bytes, retain: bool) -> int:
        if not self.up:
            raise NotConnected
        assert retain
        self.sent.append((topic, json.loads(payload)))
        self.unacknowledged.append(len(self.sent))
        return len(self.sent)

    def append(self, *names: str) -> None:
        async def append() -> None:
            await self.outbox.append([Draft(name, 1, b'{"value":1}') for name in names])

        self.loop.run_until_complete(append())

    def connect(self) -> None:
        self.up = True
        self.discovery.on_connected()

    def puback(self) -> None:
        """Acknowledge everything, also what is sent then."""
        while self.unacknowledged:
            self.discovery.on_puback(self.unacknowledged.pop(0))

    def announced(self) -> list[str]:
        return [sensor["state_topic"].removeprefix("readings/") for _, sensor in self.sent]


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    rig = Rig(tmp_path)
    yield rig
    rig.close()


def names(count: int) -> list[str]:
    return [f"{number}/temp" for number in range(count)]


def test_an_announcement_says_what_is_known() -> None:
    assert json.loads(config("kitchen/temp", STATUS)) == {
        "name": "temp",
        "unique_id": "telemetry_kitchen_temp-dc0942f202cb",
        "state_topic": "readings/kitchen/temp",
        "value_template": "{{ value_json.value }}",
        "unit_of_measurement": "°C",
        "device_class": "temperature",
        "state_class": "measurement",
        "availability_topic": STATUS,
        "availability_template": "{{ value_json.state }}",
        "payload_available": "up",
        "payload_not_available": "offline",
        "device": {"identifiers": ["telemetry_kitchen"], "name": "kitchen"},
        "origin": {"name": "Telemetry pipeline", "sw_version": __version__},
    }


def test_an_unknown_type_is_a_number_without_a_unit() -> None:
    announced = json.loads(config("kitchen/voltage", STATUS))
    assert announced["state_class"] == "measurement"
    assert not announced.keys() & {"device_class", "unit_of_measurement"}


@given(LABELS, LABELS)
def test_any_series_is_announced_as_documented(sensor_id: str, type_: str) -> None:
    series = f"{sensor_id}/{type_}"
    sensor = Sensor(config_topic("ha", series), json.loads(config(series, STATUS)))
    assert sensor.value({"value": 21.5}) == "21.5"
    assert sensor.config["device"]["name"] == sensor_id


@pytest.mark.parametrize(
    "wrong",
    [
        {"unit_of_mesurement": "°C"},
        {"unit_of_measurement": "%"},
        {"device_class": "temp"},
        {"state_class": "total"},
        {"state_topic": "readings/#"},
        {"device": {"name": "kitchen"}},
        {"origin": {"sw_version": "1"}},
    ],
)
def test_control_a_wrong_announcement_is_noticed(wrong: Json) -> None:
    right = json.loads(config("kitchen/temp", STATUS))
    topic = config_topic("ha", "kitchen/temp")
    Sensor(topic, right)
    with pytest.raises((AssertionError, ValidationError)):
        Sensor(topic, right | wrong)


@pytest.mark.parametrize("topic", ["ha/sensor/a b/c/config", "ha/sensor/a/b/c/config/x"])
def test_control_a_wrong_topic_is_noticed(topic: str) -> None:
    with pytest.raises(AssertionError):
        Sensor(topic, json.loads(config("kitchen/temp", STATUS)))


@given(st.lists(LABELS, min_size=2, max_size=4, unique=True))
def test_no_two_series_have_one_topic_or_id(labels: list[str]) -> None:
    series = [f"{a}/{b}" for a, b in combinations(labels, 2)]
    series += [f"{b}/{a}" for a, b in combinations(labels, 2)]
    assert len({config_topic("ha", one) for one in series}) == len(series)
    assert len({json.loads(config(one, STATUS))["unique_id"] for one in series}) == len(series)


@pytest.mark.parametrize(
    ("one", "other"), [("a/b_c", "a_b/c"), ("a b/c", "a_b/c"), ("é/c", "è/c"), ("A/c", "a/c")]
)
def test_series_that_differ_little_have_topics_of_their_own(one: str, other: str) -> None:
    topics = {config_topic("ha", series) for series in (one, other)}
    assert len(topics) == 2
    assert all(TOPIC.fullmatch(topic) for topic in topics)


def test_a_new_series_is_announced_once(rig: Rig) -> None:
    rig.connect()
    rig.append("7/temp", "7/temp", "7/humidity")
    rig.append("7/temp")
    rig.puback()
    assert sorted(rig.announced()) == ["7/humidity", "7/temp"]


def test_what_came_without_a_broker_is_announced_when_it_is_there(rig: Rig) -> None:
    rig.append("7/temp")
    assert rig.sent == []
    rig.connect()
    assert rig.announced() == ["7/temp"]


def test_everything_is_announced_again_on_each_connection(rig: Rig) -> None:
    rig.append(*names(2 * WINDOW))
    for _ in range(2):
        rig.connect()
        rig.puback()
    assert sorted(rig.announced()) == sorted(2 * names(2 * WINDOW))


def test_the_series_of_the_outbox_are_announced_after_a_restart(rig: Rig) -> None:
    rig.append("7/temp")
    rig.restart()
    rig.connect()
    assert rig.announced() == ["7/temp"]


def test_a_few_are_on_their_way_at_a_time(rig: Rig) -> None:
    rig.append(*names(10 * WINDOW))
    rig.connect()
    assert len(rig.sent) == WINDOW
    rig.append("new/temp")
    assert len(rig.sent) == WINDOW
    rig.discovery.on_puback(rig.unacknowledged.pop(0))
    assert len(rig.sent) == WINDOW + 1
    rig.puback()
    assert sorted(rig.announced()) == sorted([*names(10 * WINDOW), "new/temp"])


def test_the_puback_of_a_reading_sends_nothing(rig: Rig) -> None:
    rig.append(*names(2 * WINDOW))
    rig.connect()
    rig.discovery.on_puback(9999)
    assert len(rig.sent) == WINDOW


def test_a_lost_connection_harms_nothing(rig: Rig) -> None:
    rig.append(*names(2 * WINDOW))
    rig.connect()
    rig.up = False
    rig.append("new/temp")
    rig.puback()
    assert len(rig.sent) == WINDOW
    rig.connect()
    rig.puback()
    assert set(rig.announced()) == {*names(2 * WINDOW), "new/temp"}


def test_so_many_series_are_announced_and_no_more(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(discovery, "MAX_SERIES", 3)
    rig.connect()
    rig.append(*names(2))
    rig.append("a/temp", "b/temp")
    rig.append("c/temp")
    rig.puback()
    assert len(rig.sent) == 3
