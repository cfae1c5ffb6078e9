"""The broker retains the newest reading of each series."""

import json
import time
from pathlib import Path

import pytest

from tests.builders import Json, reading
from tests.integration.mosquitto_clients import Subscriber
from tests.integration.posting import client, send
from tests.stack import Stack, wait_for


def post(stack: Stack, body: object) -> None:
    with client(stack.collector) as http:
        assert send(http, body).status_code == 201


def retained_ts(stack: Stack, sensor: str, type_: str = "temp") -> str:
    """Return the timestamp of the retained reading, "" if there is none."""
    payload = stack.broker.retained(f"readings/{sensor}/{type_}")
    return str(json.loads(payload)["ts"]) if payload else ""


@pytest.fixture
def series(sensor: str) -> list[Json]:
    """Five readings of one series, the oldest first."""
    ns = time.time_ns()
    return [reading(sensor, ns + i, i) for i in range(5)]


def test_a_new_subscriber_receives_the_newest_reading(
    restartable: Stack, sensor: str, series: list[Json], tmp_path: Path
) -> None:
    for i in (0, 2, 4, 1, 3):
        post(restartable, series[i])
    with Subscriber(tmp_path, restartable.broker, f"readings/{sensor}/#") as new:
        (newest,) = new.wait_received()
        assert (newest.retained, newest.payload["ts"]) == (True, series[4]["ts"])


def test_the_newest_reading_of_a_batch_is_retained_whatever_its_position(
    restartable: Stack, sensor: str, series: list[Json], tmp_path: Path
) -> None:
    with Subscriber(tmp_path, restartable.broker, f"readings/{sensor}/#") as live:
        batch = [series[i] for i in (3, 4, 0, 2, 1)]
        post(restartable, batch)
        received = live.wait_received(5)
    assert [m.payload["ts"] for m in received] == [one["ts"] for one in batch]
    assert retained_ts(restartable, sensor) == series[4]["ts"]


@pytest.mark.parametrize("how", ["stop", "kill"])
def test_after_a_restart_of_the_collector_an_older_reading_replaces_nothing(
    restartable: Stack, sensor: str, series: list[Json], how: str
) -> None:
    post(restartable, series[3])
    wait_for(lambda: retained_ts(restartable, sensor) == series[3]["ts"])
    getattr(restartable.collector, how)()
    restartable.start("collector")
    marker = {**series[0], "type": "marker"}
    post(restartable, [series[1], marker])
    wait_for(lambda: retained_ts(restartable, sensor, "marker"))
    assert retained_ts(restartable, sensor) == series[3]["ts"]
    post(restartable, series[4])
    wait_for(lambda: retained_ts(restartable, sensor) == series[4]["ts"])


def test_the_newest_reading_posted_while_the_broker_was_stopped_is_retained(
    restartable: Stack, sensor: str, series: list[Json]
) -> None:
    restartable.broker.stop()
    for i in (2, 4, 3):
        post(restartable, series[i])
    restartable.start("broker")
    wait_for(lambda: retained_ts(restartable, sensor) == series[4]["ts"])
    restartable.bridge.wait_ready()


def test_each_series_has_its_own_retained_reading(
    restartable: Stack, sensor: str, series: list[Json]
) -> None:
    other = {**series[0], "type": "humidity"}
    post(restartable, [series[4], other])
    wait_for(lambda: retained_ts(restartable, sensor, "humidity") == other["ts"])
    assert retained_ts(restartable, sensor) == series[4]["ts"]
