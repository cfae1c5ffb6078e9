"""POST /data?ack=stored: the response waits for InfluxDB, up to STORED_TIMEOUT_S."""

import time
from collections.abc import Iterator

import httpx
import pytest

from tests.builders import ndjson, reading
from tests.integration.points import period, points, rejecting, wait_points
from tests.integration.posting import JSON, NDJSON, STORED, client, problem, send
from tests.stack import Collector, Stack, wait_for


@pytest.fixture(scope="module")
def impatient(pipeline: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A client of a collector that waits 0.3 s for InfluxDB."""
    collector = Collector(
        tmp_path_factory.mktemp("impatient"),
        mqtt_port=pipeline.broker.port,
        influx_port=pipeline.influx.port,
        env={"STORED_TIMEOUT_S": "0.3"},
    )
    with collector, client(collector) as http:
        yield http


@pytest.mark.parametrize("form", [JSON, NDJSON])
@pytest.mark.parametrize("zipped", [False, True])
def test_201_once_influxdb_has_stored_all(
    pipeline: Stack, http: httpx.Client, sensor: str, form: str, *, zipped: bool
) -> None:
    batch = [reading(sensor, time.time_ns() + i) for i in range(10)]
    body = batch if form == JSON else ndjson(batch)
    response = send(http, body, form, path=STORED, zipped=zipped)
    assert (response.status_code, response.json()) == (201, {"accepted": 10, "stored": True})
    assert len(points(pipeline.influx, sensor)) == 10


def test_201_for_one_reading(pipeline: Stack, http: httpx.Client, sensor: str) -> None:
    response = send(http, reading(sensor, 1), path=STORED)
    assert (response.status_code, response.json()) == (201, {"accepted": 1, "stored": True})
    assert points(pipeline.influx, sensor) == {("temp", 1): 21.5}


def test_202_while_influxdb_does_not_answer_and_stored_later(
    pipeline: Stack, impatient: httpx.Client, sensor: str
) -> None:
    wait_for(lambda: send(impatient, reading(sensor, 1), path=STORED).status_code == 201)
    pipeline.influx.pause()
    try:
        response = send(impatient, [reading(sensor, 2), reading(sensor, 3)], path=STORED)
    finally:
        pipeline.influx.resume()
    assert (response.status_code, response.json()) == (202, {"accepted": 2, "stored": False})
    assert response.headers["content-type"] == JSON
    assert wait_points(pipeline.influx, sensor, 3).keys() == {("temp", i) for i in (1, 2, 3)}


def test_422_for_rejected_readings_while_the_others_are_stored(
    pipeline: Stack, http: httpx.Client, sensor: str
) -> None:
    bad, good = period(1), time.time_ns()
    batch = [
        reading(sensor, good), reading(sensor, bad), reading(sensor, good + 1),
        reading(sensor, bad + 1),
    ]  # fmt: skip
    with rejecting(pipeline.influx, bad):
        errors = problem(send(http, batch, path=STORED), 422)["errors"]
        assert [error["index"] for error in errors] == [1, 3]
        assert all("field type conflict" in error["detail"] for error in errors)
        assert points(pipeline.influx, sensor).keys() == {("temp", good), ("temp", good + 1)}


def test_a_rejection_affects_only_its_own_request(
    pipeline: Stack, http: httpx.Client, sensor: str
) -> None:
    with rejecting(pipeline.influx, period(2)):
        problem(send(http, reading(sensor, period(2)), path=STORED), 422)
        assert send(http, reading(sensor), path=STORED).status_code == 201


def test_an_invalid_request_is_refused_without_waiting(http: httpx.Client) -> None:
    problem(send(http, {}, path=STORED), 422)
    problem(send(http, b"{", path=STORED), 400)
