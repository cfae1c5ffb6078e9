"""InfluxDB rejects readings, fails, or something in front of it does."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.builders import published, reading
from tests.integration.influx_proxy import Answer, InfluxProxy, store
from tests.integration.mosquitto_clients import publish
from tests.integration.points import points, wait_points
from tests.integration.posting import client, metrics, send
from tests.stack import Stack, free_port, wait_for

TS = "2026-01-31T12:00:00Z"
ALTER = "ALTER RETENTION POLICY autogen ON iot"
DAY_NS = 86_400 * 10**9


@pytest.fixture(scope="module")
def proxied(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Stack, InfluxProxy]]:
    """All four parts, the bridge behind a proxy."""
    stack = Stack(tmp_path_factory.mktemp("rejections"))
    proxy = InfluxProxy(port=free_port(), upstream=stack.influx.port)
    stack.bridge.env["INFLUX_PORT"] = str(proxy.port)
    proxy.start()
    try:
        with stack:
            yield stack, proxy
    finally:
        proxy.close()


@pytest.fixture
def stack(proxied: tuple[Stack, InfluxProxy]) -> Stack:
    return proxied[0]


@pytest.fixture
def proxy(proxied: tuple[Stack, InfluxProxy]) -> Iterator[InfluxProxy]:
    """The proxy, which forwards everything until the test says otherwise."""
    proxy = proxied[1]
    proxy.sent.clear()
    proxy.sizes.clear()
    yield proxy
    proxy.answer = store


def status(stack: Stack) -> dict[str, object]:
    """Return the bridge's newest status."""
    state: dict[str, object] = json.loads(stack.broker.retained("status/bridge/bridge"))
    return state


def publish_readings(stack: Stack, sensor: str, count: int) -> None:
    """Post readings of a sensor, one nanosecond apart."""
    now = time.time_ns()
    with client(stack.collector) as http:
        body = [reading(sensor, now + n, n) for n in range(count)]
        assert send(http, body).status_code == 201


def test_readings_beyond_the_retention_are_sent_once_and_hold_nothing_up(
    stack: Stack, proxy: InfluxProxy, sensor: str
) -> None:
    now = time.time_ns()
    with client(stack.collector) as http:
        before = metrics(http)
        stack.influx.query(f"{ALTER} DURATION 30d SHARD DURATION 7d")
        try:
            for first in range(0, 20_000, 500):
                body = [
                    reading(sensor, now - age * DAY_NS + n, n)
                    for n in range(first, first + 500)
                    for age in (0, 400)
                ]
                assert send(http, body).status_code == 201
            wait_for(lambda: metrics(http)["pending"] == 0, 60, "all settled")
        finally:
            stack.influx.query(f"{ALTER} DURATION 0s SHARD DURATION 12w")
        after = metrics(http)
    assert after["stored"] - before["stored"] == 20_000
    assert after["rejected"] - before["rejected"] == 20_000
    assert len(points(stack.influx, sensor)) == 20_000
    assert after["replayed"] == before["replayed"]
    assert max(proxy.sent.values()) <= 2


def refuse_all(_: list[str]) -> Answer:
    return 400, "Client sent an HTTP request to an HTTPS server.\n"


def too_large(_: list[str]) -> Answer:
    return 413, "<html>413 Request Entity Too Large</html>"


@pytest.mark.parametrize("answer", [refuse_all, too_large])
def test_what_a_proxy_answers_rejects_nothing(
    stack: Stack, proxy: InfluxProxy, sensor: str, answer: object
) -> None:
    with client(stack.collector) as http:
        before = metrics(http)["rejected"]
        proxy.answer = answer  # type: ignore[assignment]
        publish(stack.broker, f"readings/{sensor}/temp", published(sensor, 1, TS))
        publish_readings(stack, sensor, 3)
        wait_for(lambda: status(stack)["state"] == "waiting")
        wait_for(lambda: len(proxy.sizes) > 5)
        proxy.answer = store
        wait_points(stack.influx, sensor, 4, timeout=90)
        assert metrics(http)["rejected"] == before


def test_a_write_that_takes_too_long_is_made_smaller(
    stack: Stack, proxy: InfluxProxy, sensor: str
) -> None:
    def slow(lines: list[str]) -> Answer | None:
        return (504, "Gateway Timeout") if len(lines) > 100 else None

    proxy.answer = slow
    publish_readings(stack, sensor, 2_000)
    wait_points(stack.influx, sensor, 2_000, timeout=60)
    assert max(proxy.sizes) > 100
    proxy.answer = store
    stored = 2_000
    while max(proxy.sizes[-3:]) < 1_000:
        publish_readings(stack, sensor, 2_000)
        stored += 2_000
        wait_points(stack.influx, sensor, stored, timeout=60)


def test_a_reading_that_always_fails_blocks_no_other_and_is_stored_in_the_end(
    stack: Stack, proxy: InfluxProxy, sensor: str
) -> None:
    def broken(lines: list[str]) -> Answer | None:
        bad = any("value=666" in line for line in lines)
        return (500, '{"error":"index: broken"}') if bad else None

    with client(stack.collector) as http:
        before = metrics(http)["pending"]
        proxy.answer = broken
        now = time.time_ns()
        body = [reading(sensor, now + n, 666 if n == 77 else n) for n in range(500)]
        assert send(http, body).status_code == 201
        wait_points(stack.influx, sensor, 499, timeout=60)
        publish_readings(stack, f"{sensor} later", 10)
        wait_points(stack.influx, f"{sensor} later", 10)
        wait_for(lambda: metrics(http)["pending"] == before + 1, 30, "all other receipts")
        proxy.answer = store
        wait_points(stack.influx, sensor, 500, timeout=90)
        wait_for(lambda: metrics(http)["pending"] == before, 90, "its receipt")


def test_the_state_is_refusing_while_every_reading_is_rejected(
    stack: Stack, proxy: InfluxProxy, sensor: str
) -> None:
    def reject(lines: list[str]) -> Answer:
        return 400, json.dumps({"error": f"partial write: no room dropped={len(lines)}"})

    proxy.answer = reject
    publish_readings(stack, sensor, 20)
    wait_for(lambda: status(stack)["state"] == "refusing")
    assert "no room" in str(status(stack)["reason"])
    assert not stack.bridge.is_ready()
    proxy.answer = store
    publish_readings(stack, sensor, 1)
    wait_for(lambda: status(stack)["state"] == "storing")
    assert stack.bridge.is_ready()


def test_check_does_not_believe_a_bridge_that_is_gone(tmp_path: Path) -> None:
    stack = Stack(tmp_path)
    try:
        stack.start("broker", "influx", "bridge")
        stack.bridge.pause()  # it publishes nothing, and leaves no last will for some seconds
        assert "storing" in stack.broker.retained("status/bridge/bridge").decode()
        assert not stack.bridge.is_ready()
        stack.bridge.resume()
        stack.bridge.wait_ready()
    finally:
        stack.stop()
