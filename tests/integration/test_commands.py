"""The command `rejected`, and the errors of all commands."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from collector.outbox.books import read_books
from tests.builders import Json, reading
from tests.integration.points import period, points, rejecting
from tests.integration.posting import STORED, client, metrics, send
from tests.stack import Collector, Stack, wait_for

COMMANDS = [["books"], ["audit"], ["replay", "--since", "1h"], ["rejected"]]


@pytest.fixture(scope="module")
def collector(pipeline: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collector]:
    """A collector with its own outbox on the shared broker and InfluxDB."""
    collector = Collector(
        tmp_path_factory.mktemp("collector"),
        mqtt_port=pipeline.broker.port,
        influx_port=pipeline.influx.port,
    )
    with collector:
        yield collector


@pytest.fixture(scope="module")
def http(collector: Collector) -> Iterator[httpx.Client]:
    with client(collector) as http:
        yield http


def run_with(
    collector: Collector, env: dict[str, str], *command: str
) -> subprocess.CompletedProcess[str]:
    """Run a command with other settings than the collector's."""
    original = dict(collector.env)
    collector.env.update(env)
    try:
        return collector.command(*command)
    finally:
        collector.env = original


def test_rejected_readings_are_listed_and_replayed_once_the_cause_is_removed(
    pipeline: Stack, collector: Collector, http: httpx.Client, sensor: str
) -> None:
    ns = period(20)
    bad = [reading(sensor, ns + i, i) for i in range(3)]
    with rejecting(pipeline.influx, ns):
        response = send(http, [*bad, reading(sensor)], path=STORED)
        assert [error["index"] for error in response.json()["errors"]] == [0, 1, 2]
        wait_for(lambda: read_books(collector.outbox).rejected == 3)

        listed = collector.command("rejected")
        assert listed.returncode == 0
        assert listed.stdout.startswith("accepted, and rejected: 3\n")
        assert listed.stdout.count("field type conflict") == 3
        lines = collector.command("rejected", "--json").stdout.splitlines()
        rejected: list[Json] = [json.loads(line) for line in lines if '"kind": "reading"' in line]
        payloads = [one["reading"] for one in rejected]
        assert [{**one, "id": ""} for one in payloads] == [{**one, "id": ""} for one in bad]
        assert all("field type conflict" in one["reason"] for one in rejected)

        too_early = collector.command("rejected", "--replay")
        assert too_early.returncode == 1
        assert "sent 3, stored 0, rejected 3" in too_early.stdout
        assert metrics(http)["rejected"] == 3

    replayed = collector.command("rejected", "--replay")
    assert replayed.returncode == 0, replayed
    assert "sent 3, stored 3, rejected 0" in replayed.stdout
    stored = points(pipeline.influx, sensor)
    assert [stored["temp", ns + i] for i in range(3)] == [0, 1, 2]
    wait_for(lambda: not metrics(http)["rejected"])
    counted = metrics(http)
    assert counted["accepted"] == counted["stored"] == 4
    wait_for(lambda: read_books(collector.outbox).stored == 4)
    assert "rejected: none\n" in collector.command("rejected").stdout
    assert collector.command("audit").returncode == 0


def test_a_rejection_survives_a_restart(
    pipeline: Stack, collector: Collector, http: httpx.Client, sensor: str
) -> None:
    with rejecting(pipeline.influx, period(21)):
        assert send(http, reading(sensor, period(21)), path=STORED).status_code == 422
        collector.kill()
        collector.start()
        collector.wait_ready()
        wait_for(lambda: (metrics(http)["rejected"], metrics(http)["pending"]) == (1, 0))
        wait_for(lambda: read_books(collector.outbox).rejected == 1)
        assert sensor in collector.command("rejected").stdout
    assert collector.command("rejected", "--replay").returncode == 0


def test_commands_succeed_on_an_empty_outbox(
    pipeline: Stack, tmp_path_factory: pytest.TempPathFactory
) -> None:
    fresh = Collector(
        tmp_path_factory.mktemp("fresh"),
        mqtt_port=pipeline.broker.port,
        influx_port=pipeline.influx.port,
    )
    with fresh:
        for command in (*COMMANDS, ["rejected", "--replay"]):
            done = fresh.command(*command)
            assert (done.returncode, done.stderr) == (0, ""), command


def test_commands_work_while_the_collector_is_stopped(collector: Collector) -> None:
    collector.stop()
    try:
        for command in (["books"], ["audit"], ["replay", "--since", "1h"]):
            assert collector.command(*command).returncode == 0, command
    finally:
        collector.start()
        collector.wait_ready()


@pytest.mark.parametrize("command", COMMANDS)
def test_a_missing_outbox_is_an_error(collector: Collector, command: list[str]) -> None:
    done = run_with(collector, {"OUTBOX_PATH": "/nowhere/outbox.db"}, *command)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        f"{command[0]}: outbox /nowhere/outbox.db: there is no such file;"
        " has a collector run with this OUTBOX_PATH?\n"
    )


def test_a_file_that_is_no_outbox_is_an_error(collector: Collector, tmp_path: Path) -> None:
    other = tmp_path / "other"
    for content in (b"", b"no database"):
        other.write_bytes(content)
        done = run_with(collector, {"OUTBOX_PATH": str(other)}, "books")
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr == f"books: outbox {other}: it is not an outbox\n"


def test_an_audit_without_influxdb_is_an_error(collector: Collector, http: httpx.Client) -> None:
    assert send(http, reading("without"), path=STORED).status_code == 201
    wait_for(lambda: read_books(collector.outbox).pending == 0)
    done = run_with(collector, {"INFLUX_PORT": "1"}, "audit")
    assert (done.returncode, done.stdout) == (2, "")
    said = "audit: InfluxDB at 127.0.0.1:1 does not answer: connection refused\n"
    assert done.stderr == said


def test_an_invalid_setting_is_named(collector: Collector) -> None:
    done = run_with(collector, {"INFLUX_DATABASE": ""}, "audit")
    assert done.returncode == 2
    assert "INFLUX_DATABASE=''" in done.stderr


@pytest.mark.parametrize(
    ("command", "since"), [("audit", "1"), ("audit", "-1h"), ("replay", "1.5h"), ("replay", "")]
)
def test_an_invalid_since_is_named(collector: Collector, command: str, since: str) -> None:
    done = collector.command(command, f"--since={since}")
    assert done.returncode == 2
    assert "--since" in done.stderr
    assert repr(since) in done.stderr


@pytest.mark.parametrize("arguments", [["replay"], ["unheard-of"], ["books", "--since"]])
def test_an_invalid_command_line_prints_the_usage(
    collector: Collector, arguments: list[str]
) -> None:
    done = collector.command(*arguments)
    assert done.returncode == 2
    assert "usage: python -m collector" in done.stderr


def test_query_prints_the_answer_of_influxdb(
    collector: Collector, http: httpx.Client, sensor: str
) -> None:
    assert send(http, reading(sensor, period(3)), path=STORED).status_code == 201
    statement = f"SELECT value FROM data WHERE sensor_id = '{sensor}'"  # noqa: S608
    asked = collector.command("query", statement)
    assert (asked.returncode, asked.stderr) == (0, "")
    (series,) = json.loads(asked.stdout)["results"][0]["series"]
    assert series["values"] == [[period(3), 21.5]]


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("SELECT * FROM nowhere..data", "database not found: nowhere"),
        ("SELEC", "error parsing query: found SELEC, expected SELECT"),
    ],
)
def test_query_says_what_influxdb_refuses(collector: Collector, statement: str, said: str) -> None:
    asked = collector.command("query", statement)
    assert asked.returncode == 1
    assert f"query: InfluxDB refuses it: {said}" in asked.stderr
