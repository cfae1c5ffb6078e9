"""The log of the collector, as `docker logs -f collector` shows it."""

import re
import time
from collections.abc import Iterator

import httpx
import pytest

from tests.builders import ndjson, reading
from tests.integration.posting import NDJSON, client, send
from tests.service import has_ipv6
from tests.stack import Collector, wait_for

LINE = re.compile(r"ts=(\S+) type=(.+) value=(\S+) sensor_id=(.+)")
SUMMARY = re.compile(r"accepted (\d+) readings in a second")


@pytest.fixture(scope="module")
def collector(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collector]:
    """A collector without broker and database."""
    directory = tmp_path_factory.mktemp("logs")
    with Collector(directory, mqtt_port=1, influx_port=1) as collector:
        yield collector


@pytest.fixture(scope="module")
def http(collector: Collector) -> Iterator[httpx.Client]:
    with client(collector) as http:
        yield http


def lines(collector: Collector, sensor: int | str) -> list[str]:
    """Return the log lines about a sensor."""
    return [
        line for line in collector.log_text().splitlines() if line.endswith(f"sensor_id={sensor}")
    ]


def summaries(collector: Collector) -> list[int]:
    """Return the counts of all summary lines."""
    return [int(number) for number in SUMMARY.findall(collector.log_text())]


def quiet_second(collector: Collector, http: httpx.Client) -> None:
    """Wait for the start of a second in which nothing has been logged yet."""
    before = summaries(collector)
    batch = [reading("filler", i) for i in range(100)]
    assert send(http, batch).status_code == 201
    wait_for(lambda: len(summaries(collector)) > len(before))


def test_a_reading_is_logged_in_the_format_of_the_original_collector(
    collector: Collector, http: httpx.Client
) -> None:
    quiet_second(collector, http)
    ts = "2026-11-22T18:50:45Z"
    body = {"ts": ts, "type": "temp", "value": 25, "sensor_id": 123}
    assert send(http, body).status_code == 201
    (line,) = wait_for(lambda: lines(collector, 123))
    assert line == f"ts={ts} type=temp value=25 sensor_id=123"


def test_readings_of_every_form_are_logged_as_accepted(
    collector: Collector, http: httpx.Client, sensor: str
) -> None:
    quiet_second(collector, http)
    ns = time.time_ns()
    batch = [reading(sensor, ns + i, i / 2, "é, ü=") for i in range(3)]
    assert send(http, batch[:2]).status_code == 201
    assert send(http, ndjson(batch[2:]), NDJSON, zipped=True).status_code == 201
    shown = wait_for(lambda: found if len(found := lines(collector, sensor)) == 3 else [])
    fields = [match.groups() for line in shown if (match := LINE.fullmatch(line))]
    assert fields == [(one["ts"], "é, ü=", str(one["value"]), sensor) for one in batch]


def test_a_reading_without_ts_is_logged_with_its_time_of_arrival(
    collector: Collector, http: httpx.Client, sensor: str
) -> None:
    quiet_second(collector, http)
    assert send(http, {"type": "t", "value": 1, "sensor_id": sensor}).status_code == 201
    (line,) = wait_for(lambda: lines(collector, sensor))
    assert re.match(r"ts=\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{1,9}Z type=t value=1 ", line)


def test_many_readings_are_summarized_once_per_second(
    collector: Collector, http: httpx.Client, sensor: str
) -> None:
    quiet_second(collector, http)
    before = len(summaries(collector))
    counted = 0

    def two_more_summaries() -> bool:
        nonlocal counted
        batch = [reading(sensor, counted + i) for i in range(50)]
        assert send(http, batch).status_code == 201
        counted += 50
        return len(summaries(collector)) >= before + 2

    wait_for(two_more_summaries)
    wait_for(lambda: sum(summaries(collector)[before:]) >= counted)
    assert sum(summaries(collector)[before:]) == counted
    assert lines(collector, sensor) == []


def test_refused_readings_are_not_logged_as_accepted(
    collector: Collector, http: httpx.Client, sensor: str
) -> None:
    quiet_second(collector, http)
    assert send(http, [reading(sensor, 1), {}]).status_code == 422
    assert send(http, reading(f"{sensor}-after", 1)).status_code == 201
    wait_for(lambda: lines(collector, f"{sensor}-after"))
    assert lines(collector, sensor) == []


def test_the_first_line_names_address_and_outbox(collector: Collector) -> None:
    first = collector.log_text().splitlines()[0]
    assert f"listens on 127.0.0.1:{collector.port}" in first
    if has_ipv6():
        assert f" and [::1]:{collector.port}," in first
    assert str(collector.outbox) in first
