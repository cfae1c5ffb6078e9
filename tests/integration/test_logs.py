"""What `docker logs -f collector` shows."""

import re
from collections.abc import Iterator

import httpx
import pytest

from tests.integration.posting import NDJSON, client, ndjson, now_ns, reading, send
from tests.stack import Collector, wait_for

LINE = re.compile(r"ts=(\S+) type=(.+) value=(\S+) sensor_id=(.+)")
SUM = re.compile(r"accepted (\d+) readings in a second")


@pytest.fixture(scope="module")
def collector(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collector]:
    """Give a collector alone; its log is what is tested."""
    directory = tmp_path_factory.mktemp("logs")
    with Collector(directory, mqtt_port=1, influx_port=1) as collector:
        yield collector


@pytest.fixture(scope="module")
def http(collector: Collector) -> Iterator[httpx.Client]:
    """Give its client."""
    with client(collector) as http:
        yield http


def lines(collector: Collector, sensor: int | str) -> list[str]:
    """Return the lines about a sensor."""
    return [
        line for line in collector.log_text().splitlines() if line.endswith(f"sensor_id={sensor}")
    ]


def sums(collector: Collector) -> list[int]:
    """Return the numbers of all lines that sum up."""
    return [int(number) for number in SUM.findall(collector.log_text())]


def quiet_second(collector: Collector, http: httpx.Client) -> None:
    """Wait for the beginning of a second in which nothing has been shown yet."""
    before = sums(collector)
    batch = [reading("filler", i) for i in range(100)]
    assert send(http, batch).status_code == 201
    wait_for(lambda: len(sums(collector)) > len(before))


def test_a_reading_is_a_line_as_the_courses_reader_expects(
    collector: Collector, http: httpx.Client
) -> None:
    quiet_second(collector, http)
    ts = "2026-11-22T18:50:45Z"
    body = {"ts": ts, "type": "temp", "value": 25, "sensor_id": 123}
    assert send(http, body).status_code == 201
    (line,) = wait_for(lambda: lines(collector, 123))
    assert line == f"ts={ts} type=temp value=25 sensor_id=123"


def test_every_form_is_shown_as_it_was_accepted(
    collector: Collector, http: httpx.Client, sensor: str
) -> None:
    quiet_second(collector, http)
    ns = now_ns()
    batch = [reading(sensor, ns + i, i / 2, "é, ü=") for i in range(3)]
    assert send(http, batch[:2]).status_code == 201
    assert send(http, ndjson(batch[2:]), NDJSON, zipped=True).status_code == 201
    shown = wait_for(lambda: found if len(found := lines(collector, sensor)) == 3 else [])
    fields = [match.groups() for line in shown if (match := LINE.fullmatch(line))]
    assert fields == [(one["ts"], "é, ü=", str(one["value"]), sensor) for one in batch]


def test_the_time_of_arrival_is_shown_where_ts_was_left_out(
    collector: Collector, http: httpx.Client, sensor: str
) -> None:
    quiet_second(collector, http)
    assert send(http, {"type": "t", "value": 1, "sensor_id": sensor}).status_code == 201
    (line,) = wait_for(lambda: lines(collector, sensor))
    assert re.match(r"ts=\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{1,9}Z type=t value=1 ", line)


def test_many_readings_are_summed_up_once_a_second(
    collector: Collector, http: httpx.Client, sensor: str
) -> None:
    quiet_second(collector, http)
    before = len(sums(collector))
    counted = 0

    def two_sums_more() -> bool:
        nonlocal counted
        batch = [reading(sensor, counted + i) for i in range(50)]
        assert send(http, batch).status_code == 201
        counted += 50
        return len(sums(collector)) >= before + 2

    wait_for(two_sums_more)
    wait_for(lambda: sum(sums(collector)[before:]) >= counted)
    assert sum(sums(collector)[before:]) == counted
    assert lines(collector, sensor) == []


def test_what_is_refused_is_not_shown_as_accepted(
    collector: Collector, http: httpx.Client, sensor: str
) -> None:
    quiet_second(collector, http)
    assert send(http, [reading(sensor, 1), {}]).status_code == 422
    assert send(http, reading(f"{sensor}-after", 1)).status_code == 201
    wait_for(lambda: lines(collector, f"{sensor}-after"))
    assert lines(collector, sensor) == []


def test_the_first_line_says_where_it_listens(collector: Collector) -> None:
    first = collector.log_text().splitlines()[0]
    assert f"listens on 127.0.0.1:{collector.port}" in first
    assert str(collector.outbox) in first
