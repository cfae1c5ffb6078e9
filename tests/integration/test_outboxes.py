"""Commands about several outboxes in one directory."""

import json
import time
from collections.abc import Iterator

import httpx
import pytest

from collector.outbox.books import Books, read_books, total
from collector.outbox.outboxes import outboxes
from tests.builders import Json, reading
from tests.integration.points import period, points, rejecting
from tests.integration.posting import STORED, client, metrics, send
from tests.stack import Collector, Stack, wait_for

FILES = ["outbox.db", "outbox-2.db"]


@pytest.fixture(scope="module")
def both(
    pipeline: Stack, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Collector, Collector]]:
    """Two collectors with an outbox each in one directory."""
    directory = tmp_path_factory.mktemp("both")
    one, two = (
        Collector(directory, mqtt_port=pipeline.broker.port, influx_port=pipeline.influx.port)
        for _ in FILES
    )
    with one, two:
        yield one, two


@pytest.fixture(scope="module")
def https(both: tuple[Collector, Collector]) -> Iterator[list[httpx.Client]]:
    with client(both[0]) as one, client(both[1]) as two:
        yield [one, two]


def command(collector: Collector, *arguments: str) -> tuple[int, str]:
    done = collector.command(*arguments)
    assert done.stderr == ""
    return done.returncode, done.stdout


def on_disk(both: tuple[Collector, Collector]) -> Books:
    return total(map(read_books, outboxes(both[0].outbox)))


def counts(collector: Collector, name: str) -> Json:
    counted: Json = json.loads(command(collector, name, "--json")[1])
    return counted


def test_counts_are_of_all_and_of_each(
    both: tuple[Collector, Collector], https: list[httpx.Client], sensor: str
) -> None:
    for http, count in zip(https, (3, 2), strict=True):
        sent = [reading(sensor, number) for number in range(count)]
        assert send(http, sent, path=STORED).status_code == 201
    wait_for(lambda: on_disk(both).stored == 5)
    books = counts(both[0], "books")
    assert [books["outboxes"][file]["accepted"] for file in FILES] == [3, 2]
    assert (books["accepted"], books["unbalanced"]) == (5, 0)
    audited = counts(both[0], "audit")
    assert [audited["outboxes"][file]["audited"] for file in FILES] == [3, 2]
    assert (audited["audited"], audited["complete"]) == (5, True)
    shown = command(both[0], "books")[1].splitlines()
    assert "outbox.db: accepted 3, stored 3" in shown
    assert counts(both[1], "books") == books, "and each collector is asked about all"
    assert read_books(both[0].outbox).accepted == 3, "control"


def test_a_correction_through_another_outbox_is_not_missing(
    pipeline: Stack, both: tuple[Collector, Collector], https: list[httpx.Client], sensor: str
) -> None:
    for http, value in zip(https, (1.0, 2.0), strict=True):
        assert send(http, reading(sensor, 7, value), path=STORED).status_code == 201
    wait_for(lambda: on_disk(both).pending == 0)
    code, said = command(both[0], "audit")
    assert code == 0, said
    assert f"{sensor}/temp at 1970-01-01T00:00:00.000000007Z: 2.0 replaced 1.0" in said
    assert "\n1 superseded" in said
    assert command(both[0], "replay", "--since", "1h")[0] == 0
    assert points(pipeline.influx, sensor) == {("temp", 7): 2.0}
    tag = sensor.replace(" ", r"\ ")
    pipeline.influx.write(f"data,sensor_id={tag},type=temp value=3 7")
    code, said = command(both[0], "audit")
    assert (code, "InfluxDB has 3" in said) == (1, True), "control: a value of nobody"
    assert command(both[0], "replay", "--since", "1h")[0] == 0
    assert points(pipeline.influx, sensor) == {("temp", 7): 2.0}


def test_no_auditor_heals_over_a_correction_in_another_outbox(
    pipeline: Stack, https: list[httpx.Client], sensor: str
) -> None:
    one, two = https
    for http, ns, value in ((one, 7, 1), (one, 7, 2), (one, 8, 4), (two, 7, 3)):
        wait_for(lambda: http is one or int(time.time()) > accepted_s)  # noqa: B023
        assert send(http, reading(sensor, ns, value), path=STORED).status_code == 201
        accepted_s = int(time.time())
    right = {("temp", 7): 3.0, ("temp", 8): 4.0}
    assert points(pipeline.influx, sensor) == right
    before = [metrics(http)["healed"] for http in https]
    wait_for(lambda: not any(metrics(http)["unaudited"] for http in https))
    pipeline.influx.query(f"DROP SERIES FROM data WHERE sensor_id = '{sensor}'")
    wait_for(lambda: points(pipeline.influx, sensor) == right, what="both are healed")
    wait_for(lambda: not any(metrics(http)["unaudited"] for http in https))
    after = [metrics(http)["healed"] for http in https]
    assert [b - a for a, b in zip(before, after, strict=True)] == [1, 1], "not 2 over 3"
    assert points(pipeline.influx, sensor) == right
    assert not any(metrics(http)["unhealed"] for http in https)


def test_what_was_rejected_is_listed_replayed_and_discarded_in_all(
    pipeline: Stack, both: tuple[Collector, Collector], https: list[httpx.Client], sensor: str
) -> None:
    ns = period(30)
    with rejecting(pipeline.influx, ns):
        for number, http in enumerate(https):
            assert send(http, reading(sensor, ns + number), path=STORED).status_code == 422
        wait_for(lambda: on_disk(both).rejected == 2)
        listed = command(both[0], "rejected")[1]
        assert listed.startswith("accepted, and rejected: 2\n")
    code, said = command(both[0], "rejected", "--replay")
    assert (code, said.splitlines()[0]) == (0, "sent 2, stored 2, rejected 0")
    assert len(points(pipeline.influx, sensor)) == 2
    wait_for(lambda: on_disk(both).rejected == 0)

    ns = period(31)
    with rejecting(pipeline.influx, ns):
        for http in https:
            assert send(http, reading(sensor, ns), path=STORED).status_code == 422
        wait_for(lambda: on_disk(both).rejected == 2)
    assert command(both[0], "rejected", "--discard") == (0, "discarded 2\n")


def test_all_forget(
    both: tuple[Collector, Collector], https: list[httpx.Client], sensor: str
) -> None:
    for http in https:
        assert send(http, reading(sensor), path=STORED).status_code == 201
    wait_for(lambda: on_disk(both).pending == 0)
    assert command(both[0], "forget", "--sensor", sensor) == (0, "forgot 2\n")
    assert on_disk(both).unbalanced == 0


def test_a_backup_is_of_all(both: tuple[Collector, Collector]) -> None:
    one, _ = both
    directory = one.directory / "copies"
    directory.mkdir()
    first, second = directory / "copy.db", directory / "copy-2.db"
    assert command(one, "backup", str(first)) == (0, f"copied to {first}, {second}\n")
    original = counts(one, "books")
    copy = Collector(directory, mqtt_port=1, influx_port=1, env={"OUTBOX_PATH": str(first)})
    copied = counts(copy, "books")
    assert list(copied.pop("outboxes").values()) == list(original.pop("outboxes").values())
    assert copied == original
    (third := directory / "copy-3.db").write_bytes(b"damaged" * 100)
    assert copy.command("books").stderr == f"books: outbox {third}: it is not an outbox\n"
    third.unlink()
    first.unlink()
    refused = one.command("backup", str(first))
    assert (refused.returncode, first.exists()) == (2, False), "before any is copied"
    assert refused.stderr == f"backup: {second}: exists already\n"
