"""The commands `books`, `audit` and `replay` against a running pipeline."""

import json
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from collector.outbox.books import read_books
from telemetry import timestamp
from tests.builders import reading
from tests.integration.points import period, points, rejecting
from tests.integration.posting import STORED, client, metrics, send
from tests.stack import Stack, free_port, wait_for


@pytest.fixture(scope="module")
def audited(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A pipeline whose database these tests damage; each test repairs it.

    Its own auditor, which would repair it too, sees no database.
    """
    stack = Stack(tmp_path_factory.mktemp("audited"))
    port, stack.collector.env["INFLUX_PORT"] = stack.collector.env["INFLUX_PORT"], str(free_port())
    with stack:
        stack.collector.env["INFLUX_PORT"] = port
        yield stack


@pytest.fixture(scope="module")
def http(audited: Stack) -> Iterator[httpx.Client]:
    with client(audited.collector) as http:
        yield http


def audit(stack: Stack, *options: str) -> tuple[int, dict[str, int], list[str]]:
    """Return the exit code of an audit, its counts, and the lines after them."""
    done = stack.collector.command("audit", *options)
    lines = done.stdout.splitlines()
    assert max(map(len, lines)) <= 80
    numbers = dict(line.split()[:2] for line in lines[:7])
    return done.returncode, {name: int(number) for name, number in numbers.items()}, lines[7:]


def wait_settled(stack: Stack) -> None:
    """Wait until no reading is pending in the outbox file, which the commands read."""
    wait_for(lambda: read_books(stack.collector.outbox).pending == 0)


def test_audit_counts_each_outcome_and_nothing_is_missing(
    audited: Stack, http: httpx.Client, sensor: str
) -> None:
    ns = time.time_ns()
    odd = [f"{sensor}'\\x", f'{sensor} é,=" ']
    stored = [reading(id_, ns + i * 10**11, i / 3) for i in range(50) for id_ in (sensor, *odd)]
    assert send(http, stored, path=STORED).status_code == 201
    for value in (1, 2):
        assert send(http, reading(sensor, ns, value), path=STORED).status_code == 201
    with rejecting(audited.influx, period(1)):
        assert send(http, reading(sensor, period(1)), path=STORED).status_code == 422
    wait_settled(audited)
    audited.bridge.pause()
    try:
        assert send(http, [reading(sensor, i) for i in range(10)]).status_code == 201
        code, numbers, more = audit(audited)
        as_json = audited.collector.command("audit", "--json")
        books = audited.collector.command("books")
    finally:
        audited.bridge.resume()
    assert numbers == {
        "audited": 163, "stored": 150, "pending": 10, "rejected": 1, "superseded": 2, "expired": 0,
        "missing": 0,
    }  # fmt: skip
    assert code == 1
    assert more[-1].startswith("rejected: 1; `rejected` lists"), "which somebody has to look at"
    whole = {**numbers, "complete": True, "outboxes": {"outbox.db": numbers}}
    assert json.loads(as_json.stdout) == whole
    assert as_json.returncode == 1
    assert books.returncode == 0
    replaced = f"  {sensor}/temp at {timestamp.render(ns)}: 2.0 replaced "
    assert [line for line in more if line.startswith("  ")] == [
        f"{replaced}0.0",
        f"{replaced}1.0",
    ], "what was replaced, and by what"
    for output in (" ".join(more), " ".join(books.stdout.split())):
        assert "2 superseded: a reading accepted later has the same sensor_id, type and" in output
    assert f"{replaced}0.0\n{replaced}1.0\n" in books.stdout
    shown = [line.split()[:2] for line in books.stdout.splitlines()[:4]]
    assert shown == [["accepted", "163"], ["stored", "152"], ["rejected", "1"], ["pending", "10"]]
    assert audited.collector.command("rejected", "--discard").stdout == "discarded 1\n"
    wait_settled(audited)
    assert audit(audited)[0] == 0


def test_a_replaced_value_is_logged(audited: Stack, http: httpx.Client, sensor: str) -> None:
    ns = time.time_ns()
    for value in (1, 2):
        assert send(http, reading(sensor, ns, value), path=STORED).status_code == 201
    log = audited.collector.log_text()
    (line,) = (line for line in log.splitlines() if line.startswith(f"WARNING {sensor}/temp"))
    said = f"{timestamp.render(ns)}: 2.0 replaced 1.0, accepted earlier"
    assert line.startswith(f"WARNING {sensor}/temp at {said}")


def test_a_deleted_point_is_reported_missing_and_replay_restores_it(
    audited: Stack, http: httpx.Client, sensor: str
) -> None:
    ns = time.time_ns() // 10 * 10 + 7
    assert send(http, [reading(sensor, ns + i) for i in range(3)], path=STORED).is_success
    wait_settled(audited)
    audited.influx.query(f"DELETE FROM data WHERE sensor_id = '{sensor}' AND time = {ns + 1}")  # noqa: S608
    code, numbers, named = audit(audited)
    assert (code, numbers["missing"]) == (1, 1)
    assert named[0].startswith(f"missing: {sensor}/temp at {timestamp.render(ns + 1)} (number ")
    assert named[1] == "  21.5 was accepted, InfluxDB has nothing"
    assert named[2].startswith("`replay --since 1h` stores them again")
    assert "auditor" in named[3]

    replayed = audited.collector.command("replay", "--since", "1h")
    assert replayed.returncode == 0, replayed
    assert len(points(audited.influx, sensor)) == 3


@pytest.mark.parametrize("off_by", [1e-12, -100])
def test_a_changed_value_is_reported_missing(
    audited: Stack, http: httpx.Client, sensor: str, off_by: float
) -> None:
    ns, tags = time.time_ns(), sensor.replace(" ", "\\ ")
    assert send(http, reading(sensor, ns, 20), path=STORED).status_code == 201
    wait_settled(audited)
    audited.influx.write(f"data,sensor_id={tags},type=temp value={20 + off_by!r} {ns}")
    code, numbers, named = audit(audited)
    assert (code, numbers["missing"]) == (1, 1)
    assert f"InfluxDB has {20 + off_by!r}" in named[1]
    audited.influx.write(f"data,sensor_id={tags},type=temp value=20 {ns}")


def test_a_point_moved_by_a_nanosecond_is_reported_missing(
    audited: Stack, http: httpx.Client, sensor: str
) -> None:
    ns, tags = time.time_ns(), sensor.replace(" ", "\\ ")
    assert send(http, reading(sensor, ns), path=STORED).status_code == 201
    wait_settled(audited)
    audited.influx.query(f"DELETE FROM data WHERE sensor_id = '{sensor}'")  # noqa: S608
    audited.influx.write(f"data,sensor_id={tags},type=temp value=21.5 {ns + 1}")
    code, numbers, _ = audit(audited)
    assert (code, numbers["missing"]) == (1, 1)
    audited.influx.write(f"data,sensor_id={tags},type=temp value=21.5 {ns}")


def test_after_a_dropped_database_all_is_missing_and_replay_restores_it(
    audited: Stack, http: httpx.Client, sensor: str
) -> None:
    batch = [reading(sensor, time.time_ns() + i, i) for i in range(5000)]
    assert send(http, batch, path=STORED).status_code == 201
    wait_settled(audited)
    code, before, _ = audit(audited)
    assert code == 0
    audited.bridge.pause()  # it would create an empty database
    try:
        audited.influx.query("DROP DATABASE iot")
        code, lost, named = audit(audited)
    finally:
        audited.bridge.resume()
    everything = before["stored"] + before["superseded"]
    assert (code, lost["stored"], lost["missing"]) == (1, 0, before["stored"])
    assert lost["superseded"] == before["superseded"], "nobody wants them"
    assert " ".join(named).startswith(
        f"database 'iot' does not exist in InfluxDB at 127.0.0.1:{audited.influx.port}:"
        f" {lost['missing']:,} stored readings are missing. A running bridge creates it,"
        " and `replay --since 1h` brings them back, or a running collector's auditor by itself."
    )
    replayed = audited.collector.command("replay", "--since", "1h")
    assert replayed.returncode == 0, replayed
    assert f"sent {everything}, stored {everything}, rejected 0" in replayed.stdout
    assert audit(audited)[:2] == (0, before)


def test_since_limits_how_far_back_an_audit_looks(
    audited: Stack, http: httpx.Client, sensor: str
) -> None:
    assert send(http, reading(sensor, 0), path=STORED).status_code == 201
    assert audit(audited, "--since", "1h")[1]["audited"] > 0
    wait_for(lambda: audit(audited, "--since", "1s")[1]["audited"] == 0)


def test_books_equal_the_metrics(audited: Stack, http: httpx.Client) -> None:
    wait_settled(audited)
    books = audited.collector.command("books")
    assert books.returncode == 0
    as_json = audited.collector.command("books", "--json")
    counted = metrics(http)
    shown = dict(line.split()[:2] for line in books.stdout.splitlines()[:4])
    names = ("accepted", "stored", "rejected", "pending")
    assert {name: int(number) for name, number in shown.items()} == {
        name: counted[name] for name in names
    }
    assert {name: counted[name] for name in names}.items() <= json.loads(as_json.stdout).items()


def test_books_that_do_not_balance_are_an_error(audited: Stack, tmp_path: Path) -> None:
    copy = tmp_path / "outbox.db"
    with closing(sqlite3.connect(audited.collector.outbox)) as db, db:
        db.execute("VACUUM INTO ?", [str(copy)])
    db.close()
    with closing(sqlite3.connect(copy)) as db, db:
        db.execute("UPDATE outbox SET last = last + 3")
    db.close()
    original = audited.collector.env["OUTBOX_PATH"]
    audited.collector.env["OUTBOX_PATH"] = str(copy)
    try:
        books = audited.collector.command("books")
    finally:
        audited.collector.env["OUTBOX_PATH"] = original
    assert books.returncode == 1
    assert "3 unaccounted for" in books.stdout
