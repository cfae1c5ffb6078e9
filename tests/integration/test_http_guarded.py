"""POST /data of a collector that asks for tokens, and the limit on what it takes."""

import json
from collections.abc import Iterator

import httpx
import pytest

from tests.integration.posting import JSON, client, metrics, problem, send
from tests.stack import Collector, Stack

LIMIT = 10_000
FINE = {"type": "temp", "value": 1, "sensor_id": 1}


@pytest.fixture(scope="module")
def guarded(pipeline: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """Give a client of a collector that asks for tokens and takes 10,000 bytes at most."""
    directory = tmp_path_factory.mktemp("guarded")
    tokens = directory / "tokens"
    tokens.write_text("# who may what\n\nall *\none sensor one\none 1\ntwo 2\n", encoding="utf-8")
    collector = Collector(
        directory,
        mqtt_port=pipeline.broker.port,
        influx_port=pipeline.influx.port,
        env={"TOKENS_FILE": str(tokens), "MAX_BODY_BYTES": str(LIMIT)},
    )
    with collector, client(collector) as http:
        yield http


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


@pytest.mark.parametrize("headers", [{}, bearer("none"), {"Authorization": "all"}])
def test_401_without_a_known_token(guarded: httpx.Client, headers: dict[str, str]) -> None:
    answer = send(guarded, FINE, headers=headers)
    problem(answer, 401)
    assert answer.headers["www-authenticate"] == "Bearer"


def test_403_for_the_sensor_of_another(guarded: httpx.Client, sensor: str) -> None:
    other = {**FINE, "sensor_id": sensor}
    before = metrics(guarded)["accepted"]
    members = problem(send(guarded, [FINE, other], headers=bearer("one")), 403)
    assert repr(sensor) in members["detail"]
    assert metrics(guarded)["accepted"] == before


@pytest.mark.parametrize(("token", "id_"), [("one", 1), ("one", "sensor one"), ("all", "any")])
def test_a_token_is_good_for_its_sensors(guarded: httpx.Client, token: str, id_: int | str) -> None:
    answer = send(guarded, {**FINE, "sensor_id": id_}, headers=bearer(token))
    assert answer.status_code == 201


def test_413_a_body_over_the_limit_by_one_byte(guarded: httpx.Client) -> None:
    body = json.dumps(FINE).encode().ljust(LIMIT)
    assert send(guarded, body, headers=bearer("all")).status_code == 201
    members = problem(send(guarded, body + b" ", headers=bearer("all")), 413)
    assert "MAX_BODY_BYTES" in members["detail"]
    assert str(LIMIT) in members["detail"]


def test_413_a_stream_of_undeclared_length(guarded: httpx.Client) -> None:
    def stream(size: int) -> Iterator[bytes]:
        yield json.dumps(FINE).encode()
        for _ in range(size // 100):
            yield b" " * 100

    headers = {"Content-Type": JSON, **bearer("all")}
    fits = guarded.post("/data", content=stream(LIMIT // 2), headers=headers)
    assert fits.status_code == 201
    problem(guarded.post("/data", content=stream(3 * LIMIT), headers=headers), 413)


@pytest.mark.parametrize("bomb", [b" " * (LIMIT + 1), b" " * 500 * LIMIT])
def test_413_what_is_too_large_once_inflated(guarded: httpx.Client, bomb: bytes) -> None:
    body = json.dumps(FINE).encode()
    assert send(guarded, body.ljust(LIMIT), zipped=True, headers=bearer("all")).status_code == 201
    problem(send(guarded, body + bomb, zipped=True, headers=bearer("all")), 413)
