"""The database as the bridge creates or finds it."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from telemetry.timestamp import render
from tests.builders import as_json, published
from tests.integration.client import Client, run
from tests.integration.mosquitto_clients import publish
from tests.integration.points import points, wait_points
from tests.stack import Influx, Stack, wait_for

WEEKS = 400
WEEK_NS = 7 * 86400 * 10**9
# With the shards of a week, this many weeks need more files.
FILES = 512
TS = "2026-01-31T12:00:00Z"


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    """Broker and InfluxDB, which may open few files, and a bridge that is not started."""
    stack = Stack(tmp_path)
    stack.influx.argv = ["prlimit", f"--nofile={FILES}", *stack.influx.argv]
    try:
        stack.start("broker", "influx")
        yield stack
    finally:
        stack.stop()


def shard_duration(influx: Influx) -> str:
    (policy,) = influx.query("SHOW RETENTION POLICIES ON iot")
    return str(policy["shardGroupDuration"])


def test_where_shards_of_two_durations_overlap_no_reading_is_rejected(
    stack: Stack, sensor: str
) -> None:
    stack.influx.query("CREATE DATABASE iot")
    stack.influx.write(f"other value=1 {10 * WEEK_NS}")  # a shard of a week
    stack.start("bridge")
    wait_for(lambda: shard_duration(stack.influx) == "2016h0m0s")

    async def scenario() -> None:
        collector = Client(stack.broker.port)
        async with collector.running():
            for number in (9, 10, 11) * 10:
                payload = as_json(published(sensor, number, render(number * WEEK_NS)))
                collector.mqtt.publish(f"readings/{sensor}/temp", payload)
            await collector.mqtt.drain()

    run(scenario())
    wait_points(stack.influx, sensor, 3)
    assert "rejected" not in stack.bridge.log_text()


@pytest.mark.parametrize("exists", [False, True])
def test_readings_of_hundreds_of_weeks_leave_influxdb_able_to_start(
    stack: Stack, sensor: str, exists: bool
) -> None:
    if exists:
        stack.influx.query("CREATE DATABASE iot")
        assert shard_duration(stack.influx) == "168h0m0s"
    stack.start("bridge")

    async def scenario() -> None:
        collector = Client(stack.broker.port)
        async with collector.running():
            for number in range(WEEKS):
                payload = as_json(published(sensor, number, render(number * WEEK_NS)))
                collector.mqtt.publish(f"readings/{sensor}/temp", payload)
            await collector.mqtt.drain()

    run(scenario())
    wait_points(stack.influx, sensor, WEEKS, timeout=60)
    stack.influx.stop()
    stack.start("influx")
    assert len(points(stack.influx, sensor)) == WEEKS
    assert len(stack.influx.query("SHOW SHARDS")) < WEEKS / 10


def test_a_database_that_replaces_another_is_prepared_too(stack: Stack, sensor: str) -> None:
    stack.start("bridge")
    stack.influx.stop()
    for part in ("meta", "data", "wal"):
        shutil.rmtree(stack.influx.directory / part)
    wait_for(lambda: "waiting for InfluxDB: " in stack.bridge.log_text())
    stack.start("influx")
    stack.influx.query("CREATE DATABASE iot")  # as Compose does, before the bridge notices
    publish(stack.broker, f"readings/{sensor}/temp", published(sensor, 1, TS))
    wait_points(stack.influx, sensor)
    assert shard_duration(stack.influx) == "2016h0m0s"


def test_a_duration_that_someone_has_set_is_left_alone(stack: Stack) -> None:
    stack.influx.query("CREATE DATABASE iot WITH SHARD DURATION 1d")
    stack.start("bridge")
    assert shard_duration(stack.influx) == "24h0m0s"


def test_an_account_that_may_only_write_is_enough(tmp_path: Path, sensor: str) -> None:
    stack = Stack(tmp_path)
    stack.influx = Influx(tmp_path / "locked", auth=True)
    account = {"INFLUX_USERNAME": "writer", "INFLUX_PASSWORD": "secret"}
    stack.bridge.env |= {"INFLUX_PORT": str(stack.influx.port), **account}
    try:
        stack.start("broker", "influx")
        stack.influx.query("CREATE DATABASE iot")
        stack.influx.query("CREATE USER writer WITH PASSWORD 'secret'")
        stack.influx.query("GRANT WRITE ON iot TO writer")
        stack.start("bridge")
        publish(stack.broker, f"readings/{sensor}/temp", published(sensor, 1, TS))
        wait_points(stack.influx, sensor)
        wait_for(lambda: "shards keep their duration" in stack.bridge.log_text())
        assert stack.bridge.log_text().count("shards keep their duration") == 1
    finally:
        stack.stop()
