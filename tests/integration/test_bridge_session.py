"""The bridge's connections to the broker: what it takes, and what it acknowledges."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.builders import published
from tests.integration.client import Client, run
from tests.integration.mosquitto_clients import publish
from tests.integration.points import wait_points
from tests.stack import Bridge, Stack, wait_for

TS = "2026-01-31T12:00:00Z"
NS = 1769860800_000000000
RETAINED = 500


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    """Everything but a collector, for one test alone."""
    stack = Stack(tmp_path)
    try:
        stack.start("broker", "influx", "bridge")
        yield stack
    finally:
        stack.stop()


def counters(stack: Stack) -> dict[str, int]:
    counted: dict[str, int] = json.loads(stack.broker.retained("status/bridge/bridge"))["counters"]
    return counted


def publish_retained(stack: Stack) -> None:
    """Publish unreadable retained messages, which the bridge counts if it takes them."""

    async def scenario() -> None:
        sender = Client(stack.broker.port)
        async with sender.running():
            for number in range(RETAINED):
                sender.mqtt.publish(f"readings/{number}/t", b"kept", retain=True)
            await sender.mqtt.drain()

    run(scenario())


def test_a_bridge_takes_no_retained_readings(stack: Stack, sensor: str) -> None:
    stack.bridge.stop()
    publish_retained(stack)
    stack.start("bridge")
    publish(stack.broker, f"readings/{sensor}/live", published(sensor, 2, TS, "live"))
    wait_points(stack.influx, sensor, 1)
    wait_for(lambda: counters(stack)["stored"] == 1)
    assert counters(stack)["unreadable"] == 0


def test_control_it_takes_the_same_messages_when_they_are_new(stack: Stack) -> None:
    publish_retained(stack)
    wait_for(lambda: counters(stack)["unreadable"] == RETAINED)


def test_nothing_waits_at_the_broker_for_a_bridge_that_is_away(stack: Stack, sensor: str) -> None:
    stack.bridge.kill()
    publish(stack.broker, f"readings/{sensor}/missed", published(sensor, 1, TS, "missed"))
    stack.start("bridge")
    publish(stack.broker, f"readings/{sensor}/live", published(sensor, 2, TS, "live"))
    assert wait_points(stack.influx, sensor, 1).keys() == {("live", NS)}


def test_two_bridges_with_one_id_are_named_in_the_log(stack: Stack, tmp_path: Path) -> None:
    other = Bridge(tmp_path / "other", mqtt_port=stack.broker.port, influx_port=stack.influx.port)
    other.start()
    try:
        reason = "another client has connected with the id 'bridge'"
        wait_for(lambda: reason in stack.bridge.log_text() + other.log_text())
    finally:
        other.stop()
    stack.bridge.wait_ready()


def test_messages_that_wait_in_the_bridge_survive_a_reconnect(stack: Stack, sensor: str) -> None:
    stack.influx.stop()
    for number in range(20):
        message = published(sensor, 1, TS, f"t{number}", seq=number + 1)
        publish(stack.broker, f"readings/{sensor}/t{number}", message)
    wait_for(lambda: counters(stack)["queue"] > 0)
    stack.broker.stop()
    stack.start("broker")
    wait_for(lambda: stack.bridge.log_text().count("connected to the MQTT broker") == 2)
    stack.start("influx")
    wait_points(stack.influx, sensor, 20, timeout=60)
