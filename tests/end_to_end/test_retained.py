"""The broker keeps the newest reading of each series for whoever comes later."""

import json
from pathlib import Path

import pytest

from tests.end_to_end.curl import post
from tests.end_to_end.subscriber import Subscriber
from tests.integration.posting import Json, now_ns, reading
from tests.stack import Stack, wait_for


def kept(pipeline: Stack, sensor: str, type_: str = "temp") -> str:
    """Return the timestamp of the retained reading, "" when there is none."""
    payload = pipeline.broker.retained(f"readings/{sensor}/{type_}")
    return str(json.loads(payload)["ts"]) if payload else ""


@pytest.fixture
def series(sensor: str) -> list[Json]:
    """Give five readings of one series, the oldest first."""
    ns = now_ns()
    return [reading(sensor, ns + i, i) for i in range(5)]


def test_a_late_subscriber_gets_the_newest(
    pipeline: Stack, sensor: str, series: list[Json], tmp_path: Path
) -> None:
    for i in (0, 2, 4, 1, 3):
        assert post(pipeline.collector, series[i])[0] == 201
    with Subscriber(tmp_path, pipeline.broker, f"readings/{sensor}/#") as late:
        (newest,) = late.wait_heard()
        assert (newest.retained, newest.payload["ts"]) == (True, series[4]["ts"])


def test_in_a_batch_too_whatever_its_order(
    pipeline: Stack, sensor: str, series: list[Json], tmp_path: Path
) -> None:
    with Subscriber(tmp_path, pipeline.broker, f"readings/{sensor}/#") as live:
        batch = [series[i] for i in (3, 4, 0, 2, 1)]
        assert post(pipeline.collector, batch)[0] == 201
        heard = live.wait_heard(5)
    assert [h.payload["ts"] for h in heard] == [one["ts"] for one in batch]
    assert kept(pipeline, sensor) == series[4]["ts"]


@pytest.mark.parametrize("how", ["stop", "kill"])
def test_also_across_a_restart_of_the_collector(
    pipeline: Stack, sensor: str, series: list[Json], how: str
) -> None:
    assert post(pipeline.collector, series[3])[0] == 201
    wait_for(lambda: kept(pipeline, sensor) == series[3]["ts"])
    getattr(pipeline.collector, how)()
    pipeline.start("collector")
    marker = {**series[0], "type": "marker"}
    assert post(pipeline.collector, [series[1], marker])[0] == 201
    wait_for(lambda: kept(pipeline, sensor, "marker"))
    assert kept(pipeline, sensor) == series[3]["ts"]
    assert post(pipeline.collector, series[4])[0] == 201
    wait_for(lambda: kept(pipeline, sensor) == series[4]["ts"])


def test_what_was_posted_while_the_broker_was_away_is_retained_too(
    pipeline: Stack, sensor: str, series: list[Json]
) -> None:
    pipeline.broker.stop()
    for i in (2, 4, 3):
        assert post(pipeline.collector, series[i])[0] == 201
    pipeline.start("broker")
    wait_for(lambda: kept(pipeline, sensor) == series[4]["ts"])
    pipeline.bridge.wait_ready()


def test_series_do_not_disturb_each_other(pipeline: Stack, sensor: str, series: list[Json]) -> None:
    other = {**series[0], "type": "humidity"}
    assert post(pipeline.collector, [series[4], other])[0] == 201
    wait_for(lambda: kept(pipeline, sensor, "humidity") == other["ts"])
    assert kept(pipeline, sensor) == series[4]["ts"]
