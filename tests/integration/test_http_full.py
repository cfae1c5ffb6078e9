"""POST /data while the outbox is full, and after it has drained."""

import time
from pathlib import Path

import httpx
import pytest

from tests.builders import reading
from tests.integration.points import wait_points
from tests.integration.posting import client, metrics, problem, send
from tests.stack import Stack, wait_for

MAX_BYTES = 1 << 20


@pytest.fixture
def small(tmp_path: Path) -> Stack:
    """A pipeline, not started yet, whose outbox is limited to 1 MiB."""
    stack = Stack(tmp_path)
    stack.collector.env["OUTBOX_MAX_BYTES"] = str(MAX_BYTES)
    return stack


def fill(http: httpx.Client, ns: int) -> tuple[int, httpx.Response]:
    """Post batches of 100 until one is refused; return how many were accepted, and the 503."""
    for number in range(1000):
        batch = [reading("full", ns + 100 * number + i) for i in range(100)]
        response = send(http, batch)
        if response.status_code != 201:
            return 100 * number, response
    pytest.fail("the outbox never became full")


def test_503_when_the_outbox_is_full_until_it_has_drained(small: Stack) -> None:
    with small, client(small.collector) as http:
        small.influx.stop()
        ns = time.time_ns()
        accepted, refusal = fill(http, ns)
        members = problem(refusal, 503)
        assert int(refusal.headers["retry-after"]) > 0
        assert "OUTBOX_MAX_BYTES" in members["detail"]
        assert accepted > 1000
        assert metrics(http)["pending"] == accepted
        assert small.collector.outbox.stat().st_size <= 1.1 * MAX_BYTES
        while send(http, reading("last", ns)).status_code == 201:
            pass
        assert "OUTBOX_MAX_BYTES" in problem(http.get("/readyz"), 503)["detail"]

        small.influx.start()
        small.influx.wait_ready()
        stored = wait_points(small.influx, "full", accepted, timeout=30)
        assert stored == {("temp", ns + i): 21.5 for i in range(accepted)}
        batch = [reading("after", ns + i) for i in range(1000)]
        wait_for(lambda: send(http, batch).status_code == 201)
        wait_for(lambda: metrics(http)["pending"] == 0)


def test_a_full_outbox_is_still_full_after_a_restart(small: Stack) -> None:
    small.collector.env["MQTT_PORT"] = "1"
    with small.collector, client(small.collector) as http:
        accepted, _ = fill(http, time.time_ns())
    with small.collector, client(small.collector) as http:
        problem(send(http, [reading("full", i) for i in range(1000)]), 503)
        assert metrics(http)["pending"] == accepted
