"""What InfluxDB loses after it has stored it comes back by itself."""

import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from collector.outbox.books import read_books
from telemetry.timestamp import render
from tests.builders import reading
from tests.integration.points import points, wait_points
from tests.integration.posting import STORED, client, metrics, send
from tests.stack import Collector, Stack, free_port, wait_for


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A pipeline whose database these tests damage."""
    with Stack(tmp_path_factory.mktemp("auditor")) as stack:
        yield stack


@pytest.fixture(scope="module")
def http(stack: Stack) -> Iterator[httpx.Client]:
    with client(stack.collector) as http:
        yield http


def store(http: httpx.Client, sensor: str, count: int = 100) -> int:
    """Store readings, wait until they were read back, and return the time (ns) of the first."""
    ns = time.time_ns()
    batch = [reading(sensor, ns + number, number) for number in range(count)]
    assert send(http, batch, path=STORED).status_code == 201
    wait_read_back(http)
    return ns


def wait_read_back(http: httpx.Client) -> None:
    wait_for(lambda: metrics(http)["unaudited"] == metrics(http)["pending"] == 0, 30, "read back")


def wait_balanced(stack: Stack, http: httpx.Client) -> None:
    wait_read_back(http)
    wait_for(lambda: read_books(stack.collector.outbox).pending == 0)
    assert metrics(http)["unbalanced"] == read_books(stack.collector.outbox).unbalanced == 0


def test_a_dropped_series_comes_back_and_is_counted_as_healed(
    stack: Stack, http: httpx.Client, sensor: str
) -> None:
    store(http, sensor)
    healed = metrics(http)["healed"]
    stack.influx.query(f"DROP SERIES FROM data WHERE sensor_id = '{sensor}'")
    assert points(stack.influx, sensor) == {}
    wait_points(stack.influx, sensor, 100, timeout=60)
    wait_balanced(stack, http)
    assert metrics(http)["healed"] == healed + 100
    assert read_books(stack.collector.outbox).healed == healed + 100
    assert "InfluxDB has lost 100 readings; they are replayed" in stack.collector.log_text()
    assert stack.collector.command("audit").returncode == 0


def test_a_dropped_database_comes_back(stack: Stack, http: httpx.Client, sensor: str) -> None:
    store(http, sensor, 3000)
    stack.influx.query("DROP DATABASE iot")
    stack.influx.query("CREATE DATABASE iot")
    wait_points(stack.influx, sensor, 3000, timeout=60)
    wait_balanced(stack, http)


def test_what_an_older_copy_of_the_database_lacks_comes_back(
    stack: Stack, http: httpx.Client, sensor: str, tmp_path: Path
) -> None:
    store(http, f"{sensor} before")
    stack.influx.stop()
    for name in ("data", "wal", "meta"):
        shutil.copytree(stack.influx.directory / name, tmp_path / name)
    stack.influx.start()
    stack.influx.wait_ready()
    store(http, sensor)
    stack.influx.stop()
    for name in ("data", "wal", "meta"):
        shutil.rmtree(stack.influx.directory / name)
        shutil.copytree(tmp_path / name, stack.influx.directory / name)
    stack.influx.start()
    stack.influx.wait_ready()
    wait_points(stack.influx, sensor, 100, timeout=60)
    wait_balanced(stack, http)


def test_points_that_a_restart_loses_come_back(
    stack: Stack, http: httpx.Client, sensor: str
) -> None:
    ns = store(http, sensor)
    # Not the newest of the series, so only a restart makes the auditor look at them again.
    stack.influx.query(f"DELETE FROM data WHERE sensor_id = '{sensor}' AND time < {ns + 50}")  # noqa: S608
    stack.influx.kill()
    stack.influx.start()
    stack.influx.wait_ready()
    wait_points(stack.influx, sensor, 100, timeout=60)
    wait_balanced(stack, http)


def test_what_was_forgotten_stays_deleted(stack: Stack, http: httpx.Client, sensor: str) -> None:
    store(http, sensor)
    store(http, f"{sensor} too")
    forgot = stack.collector.command("forget", "--sensor", sensor)
    assert (forgot.returncode, forgot.stdout) == (0, "forgot 100\n")
    for name in (sensor, f"{sensor} too"):
        stack.influx.query(f"DROP SERIES FROM data WHERE sensor_id = '{name}'")
    wait_points(stack.influx, f"{sensor} too", 100, timeout=60)
    wait_balanced(stack, http)
    assert points(stack.influx, sensor) == {}
    assert stack.collector.command("audit").returncode == 0


def test_a_value_of_somebody_else_is_not_overwritten_and_counted(
    stack: Stack, http: httpx.Client, sensor: str
) -> None:
    ns, tag, healed = store(http, sensor, 1), sensor.replace(" ", "\\ "), metrics(http)["healed"]
    stack.influx.write(f"data,sensor_id={tag},type=temp value=99 {ns}")
    wait_for(lambda: metrics(http)["unhealed"] == 1, 60)
    assert metrics(http)["healed"] == healed
    assert points(stack.influx, sensor) == {("temp", ns): 99}
    assert stack.collector.command("audit").returncode == 1, "an audit says so"
    stack.influx.write(f"data,sensor_id={tag},type=temp value=0 {ns}")


def test_points_with_more_tags_hide_no_reading(
    stack: Stack, http: httpx.Client, sensor: str
) -> None:
    ns, tag = time.time_ns(), sensor.replace(" ", "\\ ")
    assert send(http, [reading(sensor, ns), reading(sensor, ns + 1)], path=STORED).is_success
    others = (f"data,sensor_id={tag},type=temp,host={n} value=1 {ns}" for n in range(2000))
    stack.influx.write("\n".join(others))
    missing = stack.collector.command("audit").stdout.partition("missing:")[2]
    assert missing.count("missing:") == 0
    assert f"at {render(ns + 1)}" not in missing
    stack.influx.query("DROP SERIES FROM data WHERE host =~ /./")


def test_a_copy_of_the_outbox_does_not_undo_what_was_corrected_since(
    stack: Stack, http: httpx.Client, sensor: str, tmp_path: Path
) -> None:
    ns = time.time_ns()
    for value in (1, 2):
        assert send(http, reading(sensor, ns, value), path=STORED).is_success
        if value == 1:
            copy = tmp_path / "outbox.db"
            assert stack.collector.command("backup", str(copy)).returncode == 0
    wait_balanced(stack, http)
    beside = Collector(
        tmp_path, mqtt_port=stack.broker.port, influx_port=stack.influx.port, port=free_port()
    )
    beside.env["OUTBOX_PATH"] = str(copy)
    with beside, client(beside) as other:
        wait_for(lambda: metrics(other)["unhealed"] == 1, 60)
        wait_read_back(other)
    assert points(stack.influx, sensor) == {("temp", ns): 2}


def test_what_a_retention_policy_has_removed_is_not_missing(
    stack: Stack, http: httpx.Client, sensor: str
) -> None:
    ns = time.time_ns() - 3 * 3600 * 10**9
    assert send(http, reading(sensor, ns), path=STORED).status_code == 201
    wait_read_back(http)
    healed = metrics(http)["healed"]
    stack.influx.query("ALTER RETENTION POLICY autogen ON iot DURATION 2h SHARD DURATION 1h")
    try:
        stack.influx.query(f"DROP SERIES FROM data WHERE sensor_id = '{sensor}'")
        stack.influx.kill()
        stack.influx.start()
        stack.influx.wait_ready()
        wait_for(lambda: stack.collector.log_text().count("InfluxDB was restarted") > 0, 30)
        wait_balanced(stack, http)
        audit = stack.collector.command("audit")
        assert audit.returncode == 0, audit.stdout
        assert "expired               1" in audit.stdout
        assert metrics(http)["healed"] == healed
    finally:
        stack.influx.query("ALTER RETENTION POLICY autogen ON iot DURATION INF SHARD DURATION 12w")


def test_the_last_accepted_of_a_point_is_demanded(
    stack: Stack, http: httpx.Client, sensor: str
) -> None:
    ns, tag = time.time_ns(), sensor.replace(" ", "\\ ")
    for value in (1, 2):
        assert send(http, reading(sensor, ns, value), path=STORED).status_code == 201
    stack.influx.write(f"data,sensor_id={tag},type=temp value=1 {ns}")  # the earlier one
    wait_for(lambda: points(stack.influx, sensor) == {("temp", ns): 2.0}, 60)
    wait_balanced(stack, http)


def test_an_outbox_that_does_not_reach_back_far_enough_says_so(tmp_path: Path, sensor: str) -> None:
    stack = Stack(tmp_path)
    stack.collector.env["OUTBOX_MAX_BYTES"] = str(1 << 20)
    with stack, client(stack.collector) as http:
        for start in range(0, 20_000, 200):
            batch = [reading(sensor, start + number) for number in range(200)]
            assert send(http, batch, path=STORED).status_code == 201
        wait_read_back(http)
        wait_for(lambda: stack.collector.command("audit", "--since", "1h").returncode == 1)
        for command in ("audit", "replay"):
            done = stack.collector.command(command, "--since", "1h")
            assert done.returncode == 1
            assert "the outbox reaches back to" in done.stdout
        assert stack.collector.command("audit").returncode == 0
        books = read_books(stack.collector.outbox)
        assert (books.stored, books.unbalanced) == (20_000, 0)


def test_no_value_is_taken_for_another(stack: Stack, http: httpx.Client, sensor: str) -> None:
    ns, healed = time.time_ns(), metrics(http)["healed"]
    values = [2.0**63, -1825480201100209263, 1e300, 5e-324, 0.1, -0.0, 123456789012345678]
    batch = [reading(sensor, ns + number, value) for number, value in enumerate(values)]
    assert send(http, batch, path=STORED).status_code == 201
    wait_read_back(http)
    assert stack.collector.command("audit").returncode == 0
    assert metrics(http)["healed"] == healed
