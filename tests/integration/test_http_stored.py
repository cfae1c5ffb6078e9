"""POST /data?ack=stored: the answer waits for InfluxDB, for a while."""

from collections.abc import Iterator

import httpx
import pytest

from tests.integration.points import mend, points, poison, wait_points, week
from tests.integration.posting import JSON, NDJSON, client, ndjson, now_ns, problem, reading, send
from tests.stack import Collector, Stack, wait_for

STORED = "/data?ack=stored"


@pytest.fixture(scope="module")
def hasty(pipeline: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """Give a client of a collector that waits 0.3 s for InfluxDB."""
    collector = Collector(
        tmp_path_factory.mktemp("hasty"),
        mqtt_port=pipeline.broker.port,
        influx_port=pipeline.influx.port,
        env={"STORED_TIMEOUT_S": "0.3"},
    )
    with collector, client(collector) as http:
        yield http


@pytest.mark.parametrize("form", [JSON, NDJSON])
@pytest.mark.parametrize("zipped", [False, True])
def test_201_once_influxdb_has_all(
    pipeline: Stack, http: httpx.Client, sensor: str, form: str, *, zipped: bool
) -> None:
    batch = [reading(sensor, now_ns() + i) for i in range(10)]
    body = batch if form == JSON else ndjson(batch)
    answer = send(http, body, form, path=STORED, zipped=zipped)
    assert (answer.status_code, answer.json()) == (201, {"accepted": 10, "stored": True})
    assert len(points(pipeline.influx, sensor)) == 10


def test_201_for_one_reading_and_for_none(pipeline: Stack, http: httpx.Client, sensor: str) -> None:
    answer = send(http, reading(sensor, 1), path=STORED)
    assert (answer.status_code, answer.json()) == (201, {"accepted": 1, "stored": True})
    assert points(pipeline.influx, sensor) == {("temp", 1): 21.5}
    assert send(http, [], path=STORED).json()["accepted"] == 0


def test_202_while_influxdb_does_not_answer_and_stored_later(
    pipeline: Stack, hasty: httpx.Client, sensor: str
) -> None:
    wait_for(lambda: send(hasty, reading(sensor, 1), path=STORED).status_code == 201)
    pipeline.influx.pause()
    try:
        answer = send(hasty, [reading(sensor, 2), reading(sensor, 3)], path=STORED)
    finally:
        pipeline.influx.resume()
    assert (answer.status_code, answer.json()) == (202, {"accepted": 2, "stored": False})
    assert answer.headers["content-type"] == JSON
    assert wait_points(pipeline.influx, sensor, 3).keys() == {("temp", i) for i in (1, 2, 3)}


def test_422_for_what_influxdb_refuses_and_the_others_are_stored(
    pipeline: Stack, http: httpx.Client, sensor: str
) -> None:
    bad, good = week(1), now_ns()
    poison(pipeline.influx, bad)
    batch = [
        reading(sensor, good), reading(sensor, bad), reading(sensor, good + 1),
        reading(sensor, bad + 1),
    ]  # fmt: skip
    answer = send(http, batch, path=STORED)
    errors = problem(answer, 422)["errors"]
    assert [error["index"] for error in errors] == [1, 3]
    assert all("field type conflict" in error["detail"] for error in errors)
    assert points(pipeline.influx, sensor).keys() == {("temp", good), ("temp", good + 1)}
    mend(pipeline.influx, bad)


def test_the_refused_of_one_request_are_not_those_of_another(
    pipeline: Stack, http: httpx.Client, sensor: str
) -> None:
    poison(pipeline.influx, week(2))
    problem(send(http, reading(sensor, week(2)), path=STORED), 422)
    assert send(http, reading(sensor, now_ns()), path=STORED).status_code == 201
    mend(pipeline.influx, week(2))


def test_a_reading_without_a_valid_form_is_refused_before_any_wait(http: httpx.Client) -> None:
    problem(send(http, {}, path=STORED), 422)
    problem(send(http, b"{", path=STORED), 400)
