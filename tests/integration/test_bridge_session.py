"""The bridge's session at the broker: what is delivered again, and what is not."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.builders import as_json, published
from tests.integration.client import Client, run, until
from tests.integration.mosquitto_clients import publish
from tests.integration.points import wait_points
from tests.stack import Bridge, Stack, wait_for

TS = "2026-01-31T12:00:00Z"
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


def publish_retained(stack: Stack, *, until_seen: bool) -> None:
    """Publish unreadable retained messages, which the bridge counts whenever they arrive."""

    async def scenario() -> None:
        sender = Client(stack.broker.port)
        async with sender.running():
            for number in range(RETAINED):
                sender.mqtt.publish(f"readings/{number}/t", b"kept", retain=True)
            await sender.mqtt.drain()

    run(scenario())
    wait_for(lambda: not until_seen or counters(stack)["unreadable"] == RETAINED)


def test_a_restart_with_a_session_fetches_no_retained_readings(stack: Stack, sensor: str) -> None:
    publish_retained(stack, until_seen=True)
    stack.bridge.stop()
    publish(stack.broker, f"readings/{sensor}/queued", published(sensor, 1, TS, "queued"))
    stack.start("bridge")
    publish(stack.broker, f"readings/{sensor}/live", published(sensor, 2, TS, "live"))
    wait_points(stack.influx, sensor, 2)
    wait_for(lambda: counters(stack)["stored"] == 2)
    assert counters(stack)["unreadable"] == 0


def test_control_a_bridge_without_a_session_fetches_them(stack: Stack) -> None:
    publish_retained(stack, until_seen=True)
    stack.bridge.stop()
    stack.broker.stop()
    stack.broker.wipe()
    stack.start("broker")
    publish_retained(stack, until_seen=False)
    stack.start("bridge")
    wait_for(lambda: counters(stack)["unreadable"] == RETAINED)


def test_a_session_without_subscriptions_is_noticed(stack: Stack, sensor: str) -> None:
    stack.bridge.stop()
    stack.broker.stop()
    stack.broker.wipe()
    stack.start("broker")

    async def leave_an_empty_session() -> None:
        async with Client(stack.broker.port, client_id="bridge").running():
            pass

    run(leave_an_empty_session())
    stack.bridge.start()
    wait_for(lambda: "subscribing again" in stack.bridge.log_text(), 15)
    publish(stack.broker, f"readings/{sensor}/temp", published(sensor, 1, TS))
    wait_points(stack.influx, sensor)
    stack.bridge.wait_ready()


def test_two_bridges_with_one_id_are_named_in_the_log(stack: Stack, tmp_path: Path) -> None:
    other = Bridge(tmp_path / "other", mqtt_port=stack.broker.port, influx_port=stack.influx.port)
    other.start()
    try:
        reason = "another client has connected with the id 'bridge'"
        wait_for(lambda: reason in stack.bridge.log_text() + other.log_text())
    finally:
        other.stop()
    stack.bridge.wait_ready()


def redelivered(stack: Stack) -> list[bytes]:
    """Take over the session of the stopped bridge; return what the broker delivers again."""

    async def scenario() -> list[bytes]:
        heir = Client(stack.broker.port, client_id="bridge")
        async with heir.running():
            heir.mqtt.publish("readings/end/t", b"end")
            await until(lambda: b"end" in heir.payloads())
        return [m.payload for m in heir.messages if m.topic.startswith("readings/")]

    return asyncio.run(scenario())


@pytest.mark.parametrize("count", [1, 300])
def test_everything_stored_is_acknowledged_to_the_broker(
    stack: Stack, sensor: str, count: int
) -> None:

    async def scenario() -> None:
        sender = Client(stack.broker.port)
        async with sender.running():
            for number in range(count):
                payload = as_json(published(sensor, number, TS, f"t{number}", seq=number + 1))
                sender.mqtt.publish(f"readings/{sensor}/t{number}", payload)
            await sender.mqtt.drain()

    run(scenario())
    wait_for(lambda: counters(stack)["stored"] == count)
    stack.bridge.kill()
    assert redelivered(stack) == [b"end"]


def test_control_what_is_not_acknowledged_comes_again(stack: Stack, sensor: str) -> None:
    stack.influx.pause()
    publish(stack.broker, f"readings/{sensor}/temp", published(sensor, 1, TS))
    stack.bridge.kill()
    stack.influx.resume()
    assert len(redelivered(stack)) == 2


def test_qos_0_messages_that_wait_survive_a_reconnect(stack: Stack, sensor: str) -> None:
    stack.influx.stop()
    for number in range(20):
        message = published(sensor, 1, TS, f"t{number}", seq=number + 1)
        publish(stack.broker, f"readings/{sensor}/t{number}", message, "-q", "0")
    wait_for(lambda: counters(stack)["queue"] > 0)
    stack.broker.stop()
    stack.start("broker")
    wait_for(lambda: stack.bridge.log_text().count("connected to the MQTT broker") == 2)
    stack.start("influx")
    wait_points(stack.influx, sensor, 20, timeout=60)
