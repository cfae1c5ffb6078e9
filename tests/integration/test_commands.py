"""`python -m collector rejected`; and what each command says when it cannot do its work."""

import json
from collections.abc import Iterator

import httpx
import pytest

from collector.books import read_books
from tests.integration.points import mend, points, poison, week
from tests.integration.posting import client, metrics, now_ns, reading, send
from tests.stack import Collector, Stack, wait_for

STORED = "/data?ack=stored"
COMMANDS = [["books"], ["audit"], ["replay", "--since", "1h"], ["rejected"]]


@pytest.fixture(scope="module")
def own(pipeline: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collector]:
    """Give a collector with an outbox of its own, on the shared broker and database."""
    collector = Collector(
        tmp_path_factory.mktemp("own"),
        mqtt_port=pipeline.broker.port,
        influx_port=pipeline.influx.port,
    )
    with collector:
        yield collector


@pytest.fixture(scope="module")
def post(own: Collector) -> Iterator[httpx.Client]:
    """Give a client of that collector."""
    with client(own) as http:
        yield http


def test_rejected_readings_are_listed_and_sent_again_once_the_cause_is_mended(
    pipeline: Stack, own: Collector, post: httpx.Client, sensor: str
) -> None:
    ns = week(20)
    poison(pipeline.influx, ns)
    bad = [reading(sensor, ns + i, i) for i in range(3)]
    answer = send(post, [*bad, reading(sensor, now_ns())], path=STORED)
    assert [error["index"] for error in answer.json()["errors"]] == [0, 1, 2]
    wait_for(lambda: read_books(own.outbox).rejected == 3)

    listed = own.command("rejected")
    assert listed.returncode == 0
    lines = listed.stdout.splitlines()
    payloads = [json.loads(line.split(" ", 1)[1]) for line in lines[::2]]
    assert [{**one, "id": ""} for one in payloads] == [{**one, "id": ""} for one in bad]
    assert all("field type conflict" in reason for reason in lines[1::2])

    in_vain = own.command("rejected", "--resend")
    assert in_vain.returncode == 1
    assert "sent 3, stored 0, rejected 3" in in_vain.stdout
    assert metrics(post)["rejected"] == 3

    mend(pipeline.influx, ns)
    again = own.command("rejected", "--resend")
    assert again.returncode == 0, again
    assert "sent 3, stored 3, rejected 0" in again.stdout
    held = points(pipeline.influx, sensor)
    assert [held["temp", ns + i] for i in range(3)] == [0, 1, 2]
    counted = wait_for(lambda: found if not (found := metrics(post))["rejected"] else {})
    assert counted["accepted"] == counted["stored"] == 4
    wait_for(lambda: read_books(own.outbox).stored == 4)
    assert own.command("rejected").stdout == ""
    assert own.command("audit").returncode == 0


def test_a_rejection_survives_a_restart(
    pipeline: Stack, own: Collector, post: httpx.Client, sensor: str
) -> None:
    poison(pipeline.influx, week(21))
    assert send(post, reading(sensor, week(21)), path=STORED).status_code == 422
    own.kill()
    own.start()
    own.wait_ready()
    wait_for(lambda: (metrics(post)["rejected"], metrics(post)["pending"]) == (1, 0))
    wait_for(lambda: read_books(own.outbox).rejected == 1)
    assert sensor in own.command("rejected").stdout
    mend(pipeline.influx, week(21))
    assert own.command("rejected", "--resend").returncode == 0


def test_nothing_to_replay_or_to_send_again_is_no_failure(
    pipeline: Stack, tmp_path_factory: pytest.TempPathFactory
) -> None:
    fresh = Collector(
        tmp_path_factory.mktemp("fresh"),
        mqtt_port=pipeline.broker.port,
        influx_port=pipeline.influx.port,
    )
    with fresh:
        for command in (*COMMANDS, ["rejected", "--resend"]):
            done = fresh.command(*command)
            assert (done.returncode, done.stderr) == (0, ""), command


def test_commands_work_while_the_collector_is_stopped(own: Collector) -> None:
    own.stop()
    try:
        for command in (["books"], ["audit"], ["replay", "--since", "1h"]):
            assert own.command(*command).returncode == 0, command
    finally:
        own.start()
        own.wait_ready()


@pytest.mark.parametrize("command", COMMANDS)
def test_without_an_outbox_a_command_says_so(own: Collector, command: list[str]) -> None:
    original = own.env["OUTBOX_PATH"]
    own.env["OUTBOX_PATH"] = "/nowhere/outbox.db"
    try:
        done = own.command(*command)
    finally:
        own.env["OUTBOX_PATH"] = original
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"{command[0]}: /nowhere/outbox.db: ")
    assert "Traceback" not in done.stderr


def test_without_influxdb_an_audit_says_so(own: Collector, post: httpx.Client) -> None:
    assert send(post, reading("without", now_ns()), path=STORED).status_code == 201
    wait_for(lambda: read_books(own.outbox).pending == 0)
    original = own.env["INFLUX_PORT"]
    own.env["INFLUX_PORT"] = "1"
    try:
        done = own.command("audit")
    finally:
        own.env["INFLUX_PORT"] = original
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("audit: InfluxDB cannot be asked: ")
    assert "Traceback" not in done.stderr


def test_a_bad_setting_is_named(own: Collector) -> None:
    own.env["INFLUX_DATABASE"] = ""
    try:
        done = own.command("audit")
    finally:
        del own.env["INFLUX_DATABASE"]
    assert done.returncode == 2
    assert "INFLUX_DATABASE=''" in done.stderr


@pytest.mark.parametrize(
    ("command", "since"), [("audit", "1"), ("audit", "-1h"), ("replay", "1.5h"), ("replay", "")]
)
def test_a_wrong_since_is_named(own: Collector, command: str, since: str) -> None:
    done = own.command(command, f"--since={since}")
    assert done.returncode == 2
    assert "--since" in done.stderr
    assert repr(since) in done.stderr


@pytest.mark.parametrize("arguments", [["replay"], ["unheard-of"], ["books", "--json"]])
def test_a_wrong_command_line_is_told_how_it_should_be(
    own: Collector, arguments: list[str]
) -> None:
    done = own.command(*arguments)
    assert done.returncode == 2
    assert "usage: python -m collector" in done.stderr
