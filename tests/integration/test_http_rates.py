"""Limits of each sender: readings a second, failures, new series, connections."""

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.identities import give
from tests.integration.posting import client, metrics, problem, send
from tests.service import wait_for
from tests.stack import Collector

VALID = {"type": "temp", "value": 1, "sensor_id": 1}
A, B = {"Authorization": "Bearer a"}, {"Authorization": "Bearer b"}
WRONG = {"Authorization": "Bearer wrong"}


@contextlib.contextmanager
def collecting(directory: Path, *, tokens: bool = True, **env: str) -> Iterator[httpx.Client]:
    """Yield a client of a collector without a broker, whose tokens, `a` and `b`, are for all."""
    if tokens:
        give(directory / "accounts", {"a": ("a", ["*"]), "b": ("b", ["*"])})
    collector = Collector(directory, mqtt_port=1, influx_port=1, env=env)
    with collector, client(collector) as http:
        yield http


def batch(count: int) -> list[dict[str, object]]:
    return [VALID] * count


def test_a_sender_beyond_its_rate_waits_as_long_as_it_is_told(tmp_path: Path) -> None:
    with collecting(tmp_path, RATE_LIMIT="100") as http:
        assert send(http, batch(1150), headers=A).status_code == 201  # 10 s at once, and 1.5 s
        refused = send(http, VALID, headers=A)
        told = time.monotonic()
        assert "RATE_LIMIT" in problem(refused, 429)["detail"]
        wait_s = int(refused.headers["retry-after"])
        assert 1 <= wait_s <= 2
        assert send(http, VALID, headers=B).status_code == 201
        assert metrics(http)["accepted"] == 1151
        assert metrics(http)["http_refused_rate"] == 1
        wait_for(lambda: time.monotonic() >= told + wait_s)
        assert send(http, VALID, headers=A).status_code == 201


def test_without_a_token_the_address_has_the_rate(tmp_path: Path) -> None:
    with collecting(tmp_path, tokens=False, RATE_LIMIT="1") as http:
        assert send(http, batch(100)).status_code == 201
        for zipped, path in ((False, "/data"), (True, "/data"), (False, "/data?ack=stored")):
            refused = send(http, VALID, zipped=zipped, path=path)
            problem(refused, 429)
            assert 80 <= int(refused.headers["retry-after"]) <= 90
        other = httpx.HTTPTransport(local_address="127.0.0.2")
        with httpx.Client(base_url=http.base_url, transport=other) as http_of_another:
            assert send(http_of_another, VALID).status_code == 201


def test_by_default_there_is_no_rate(tmp_path: Path) -> None:
    with collecting(tmp_path) as http:
        for _ in range(5):
            assert send(http, batch(10_000), headers=A).status_code == 201


def test_a_request_that_is_refused_costs_nothing_of_the_rate(tmp_path: Path) -> None:
    with collecting(tmp_path, RATE_LIMIT="1") as http:
        for _ in range(20):
            problem(send(http, [*batch(100), {}], headers=A), 422)
        assert send(http, VALID, headers=A).status_code == 201


def test_only_failing_requests_are_slowed_by_failures_from_their_address(tmp_path: Path) -> None:
    with collecting(tmp_path) as http:
        statuses = [send(http, VALID, headers=WRONG).status_code for _ in range(30)]
        assert statuses[:10] == [401] * 10
        refused = send(http, VALID, headers=WRONG)
        problem(refused, 429)
        assert refused.headers["retry-after"] == "1"
        assert statuses.count(429) >= 15
        assert send(http, VALID, headers=A).status_code == 201
        assert metrics(http)["http_refused_token"] == 31
        problem(send(http, VALID), 429)
        assert metrics(http)["accepted"] == 1


def test_a_sender_may_begin_so_many_series_also_after_a_restart(tmp_path: Path) -> None:
    def of(sensor: int) -> dict[str, object]:
        return {**VALID, "sensor_id": sensor}

    with collecting(tmp_path, MAX_SERIES="3") as http:
        assert send(http, [of(1), of(2), of(1)], headers=A).status_code == 201
        members = problem(send(http, [of(1), of(3), of(4)], headers=A), 403)
        assert "sensor_id '3' with type 'temp'" in members["detail"]
        assert "3 (MAX_SERIES)" in members["detail"]
        assert send(http, of(3), headers=A).status_code == 201
        problem(send(http, of(4), headers=A), 403)
        assert send(http, [of(1), of(2), of(3)], headers=A).status_code == 201
        assert send(http, [of(4), of(5), of(6)], headers=B).status_code == 201
        assert metrics(http)["http_refused_series"] == 2
    with collecting(tmp_path, MAX_SERIES="3") as http:
        assert send(http, [of(n) for n in range(1, 7)], headers=A).status_code == 201
        problem(send(http, of(7), headers=A), 403)
        assert send(http, of(7), headers=B).status_code == 201


def test_this_machine_may_use_all_connections_and_the_refused_are_counted(tmp_path: Path) -> None:
    running = collecting(tmp_path, MAX_CONNECTIONS="3", MAX_CONNECTIONS_PER_ADDRESS="1")
    with running as http, contextlib.ExitStack() as opened:
        clients = [
            opened.enter_context(httpx.Client(base_url=http.base_url, trust_env=False))
            for _ in range(3)
        ]
        statuses = [send(each, VALID, headers=A).status_code for each in clients]
        assert statuses == [201] * 3
        problem(http.get("/healthz"), 503)
        clients[0].close()
        wait_for(lambda: http.get("/healthz").status_code == 200)
        assert metrics(http)["http_refused_connections"] >= 1


@pytest.mark.parametrize("tokens", [True, False])
def test_every_reason_is_counted_from_the_start(tmp_path: Path, tokens: bool) -> None:
    with collecting(tmp_path, tokens=tokens) as http:
        counted = {n: c for n, c in metrics(http).items() if n.startswith("http_refused_")}
        reasons = ("origin", "token", "sensor", "rate", "series", "connections")
        assert counted == {f"http_refused_{reason}": 0 for reason in reasons}
        send(http, VALID, headers={"Origin": "https://evil.example", **A})
        assert metrics(http)["http_refused_origin"] == 1
