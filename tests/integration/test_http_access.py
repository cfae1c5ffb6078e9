"""POST /data with identities, and with a limited body size."""

import json
from collections.abc import Iterator

import httpx
import pytest

from tests.identities import give
from tests.integration.posting import JSON, client, metrics, problem, send
from tests.stack import Collector, Stack

LIMIT = 10_000
VALID = {"type": "temp", "value": 1, "sensor_id": 1}


@pytest.fixture(scope="module")
def guarded(pipeline: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A client of a collector with identities and limits bodies to 10,000 bytes."""
    directory = tmp_path_factory.mktemp("guarded")
    give(
        directory / "accounts",
        {"all": ("all", ["*"]), "one": ("one", ["sensor one", "1"]), "two": ("two", ["2", "t*"])},
    )
    collector = Collector(
        directory,
        mqtt_port=pipeline.broker.port,
        influx_port=pipeline.influx.port,
        env={"MAX_BODY_BYTES": str(LIMIT)},
    )
    with collector, client(collector) as http:
        yield http


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


@pytest.mark.parametrize("headers", [{}, bearer("none"), {"Authorization": "all"}])
def test_401_without_a_known_token(guarded: httpx.Client, headers: dict[str, str]) -> None:
    response = send(guarded, VALID, headers=headers)
    problem(response, 401)
    assert response.headers["www-authenticate"] == "Bearer"


def test_403_for_a_sensor_of_another_token(guarded: httpx.Client, sensor: str) -> None:
    other = {**VALID, "sensor_id": sensor}
    before = metrics(guarded)["accepted"]
    members = problem(send(guarded, [VALID, other], headers=bearer("one")), 403)
    assert repr(sensor) in members["detail"]
    assert metrics(guarded)["accepted"] == before


@pytest.mark.parametrize(
    ("token", "id_"), [("one", 1), ("one", "sensor one"), ("two", "two"), ("all", "any")]
)
def test_a_token_allows_its_sensors(guarded: httpx.Client, token: str, id_: int | str) -> None:
    response = send(guarded, {**VALID, "sensor_id": id_}, headers=bearer(token))
    assert response.status_code == 201


def test_413_for_a_body_one_byte_over_the_limit(guarded: httpx.Client) -> None:
    body = json.dumps(VALID).encode().ljust(LIMIT)
    assert send(guarded, body, headers=bearer("all")).status_code == 201
    members = problem(send(guarded, body + b" ", headers=bearer("all")), 413)
    assert "MAX_BODY_BYTES" in members["detail"]
    assert str(LIMIT) in members["detail"]


def test_413_for_a_stream_of_undeclared_length(guarded: httpx.Client) -> None:
    def stream(size: int) -> Iterator[bytes]:
        yield json.dumps(VALID).encode()
        for _ in range(size // 100):
            yield b" " * 100

    headers = {"Content-Type": JSON, **bearer("all")}
    fits = guarded.post("/data", content=stream(LIMIT // 2), headers=headers)
    assert fits.status_code == 201
    problem(guarded.post("/data", content=stream(3 * LIMIT), headers=headers), 413)


@pytest.mark.parametrize("bomb", [b" " * (LIMIT + 1), b" " * 500 * LIMIT])
def test_413_for_a_body_too_large_once_inflated(guarded: httpx.Client, bomb: bytes) -> None:
    body = json.dumps(VALID).encode()
    assert send(guarded, body.ljust(LIMIT), zipped=True, headers=bearer("all")).status_code == 201
    problem(send(guarded, body + bomb, zipped=True, headers=bearer("all")), 413)
