"""Two InfluxDBs that know nothing of each other: one of them is enough, and both end with all."""

import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.builders import reading
from tests.integration.points import points, wait_points
from tests.integration.posting import STORED, client, metrics, send
from tests.stack import Influx, Service, Stack, wait_for

NS = 10**18
DEAD = "127.0.0.1:1"


class Pair(Stack):
    """A pipeline with a second InfluxDB."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.other = Influx(directory / "other")
        for part in (self.collector, self.bridge):
            part.env["INFLUX_HOST"] = f"127.0.0.1,127.0.0.1:{self.other.port}"
        self.collector.env["STORED_TIMEOUT_S"] = "60"

    def _parts(self) -> list[Service]:
        return [self.other, *super()._parts()]


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    with Pair(tmp_path_factory.mktemp("pair")) as pair:
        yield pair


@pytest.fixture(scope="module")
def http(pair: Pair) -> Iterator[httpx.Client]:
    with client(pair.collector, timeout=60) as http:
        yield http


def store(http: httpx.Client, sensor: str, first: int, count: int = 100) -> None:
    batch = [reading(sensor, NS + number, number) for number in range(first, first + count)]
    assert send(http, batch, path=STORED).status_code == 201


def test_one_is_killed_and_both_end_with_all(pair: Pair, http: httpx.Client, sensor: str) -> None:
    store(http, sensor, 0)
    assert pair.other.query("SHOW DATABASES") == [], "the control: nothing has gone elsewhere"
    pair.influx.kill()
    store(http, sensor, 100)
    wait_points(pair.other, sensor, 200)  # what only the killed one had is replayed
    pair.influx.start()
    pair.influx.wait_ready()
    wait_points(pair.influx, sensor, 200, timeout=60)
    wait_for(lambda: metrics(http)["unaudited"] == metrics(http)["pending"] == 0, 30, "read back")
    assert points(pair.influx, sensor) == points(pair.other, sensor)
    assert pair.bridge.log_text().count("does not answer: others are asked") == 1


def test_one_is_frozen_and_nothing_is_lost(pair: Pair, http: httpx.Client, sensor: str) -> None:
    store(http, sensor, 0)
    pair.influx.pause()
    try:
        store(http, sensor, 100)
        assert len(points(pair.other, sensor)) >= 100
    finally:
        pair.influx.resume()
    wait_points(pair.influx, sensor, 200, timeout=60)


def test_an_audit_of_each_node_finds_what_one_of_them_lacks(
    pair: Pair, http: httpx.Client, sensor: str
) -> None:
    store(http, sensor, 0)
    pair.collector.stop()  # its auditor reads back from both, too, and would repair it
    tags = f"data,sensor_id={sensor},type=temp".replace(" ", "\\ ")
    pair.influx.write(f"{tags} value={number} {NS + number}" for number in range(100))
    pair.other.query(f"DELETE FROM data WHERE sensor_id = '{sensor}'")  # noqa: S608
    assert pair.collector.command("audit").returncode == 0, "one node's answer hides it"
    names = [f"127.0.0.1:{influx.port}" for influx in (pair.influx, pair.other)]
    each = pair.collector.command("audit", "--json", "--node", names[0], "--node", names[1])
    found = [json.loads(line) for line in each.stdout.splitlines()]
    assert [one["node"] for one in found] == names
    assert found[0]["missing"] == 0
    assert found[1]["missing"] >= 100
    assert each.returncode == 1
    wrong = pair.collector.command("audit", "--node", "a b")
    assert (wrong.returncode, "--node='a b': expected a" in wrong.stderr) == (2, True)


def test_an_audit_reports_a_node_that_is_dead_and_the_others_all_the_same(
    pair: Pair, http: httpx.Client, sensor: str
) -> None:
    pair.collector.start()
    pair.collector.wait_ready()
    store(http, sensor, 0)
    pair.collector.stop()
    pair.other.query("DROP DATABASE iot")
    nodes = ["--node", DEAD, "--node", f"127.0.0.1:{pair.other.port}"]
    as_json = pair.collector.command("audit", "--json", *nodes)
    dead, lacking = (json.loads(line) for line in as_json.stdout.splitlines())
    refused = f"InfluxDB at {DEAD} does not answer: connection refused"
    assert dead == {"node": DEAD, "error": refused}
    assert lacking["missing"] >= 100
    as_text = pair.collector.command("audit", *nodes)
    assert as_text.stdout.startswith(f"{DEAD}:\n{refused}\n127.0.0.1:{pair.other.port}:\naudited ")
    assert " ".join(as_text.stdout.split()).endswith(
        "In a cluster `replay --since 1h` stores them again, or a running collector's auditor by"
        " itself. An InfluxDB that is in no cluster gets them only while it is the first of"
        " INFLUX_HOST that answers."
    )
    assert (as_json.returncode, as_text.returncode) == (2, 2)
