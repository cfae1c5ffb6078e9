"""A temporary client: its messages, its end, and what goes wrong in it."""

import asyncio

import pytest

from telemetry.mqtt import MqttClient, NotConnected, temporary_client
from telemetry.settings import BrokerAccess
from tests.integration.client import name, run, until
from tests.stack import Broker


def access(port: int) -> BrokerAccess:
    return {"host": "127.0.0.1", "port": port, "username": "", "password": ""}


def test_messages_are_acknowledged_and_queued(broker: Broker) -> None:
    topic = name("temporary")

    async def scenario() -> None:
        async with temporary_client(access(broker.port), f"{topic}/a", f"{topic}/b") as temporary:
            await temporary.wait_connected()
            for number in range(100):  # more than the broker has in flight unacknowledged
                temporary.client.publish(f"{topic}/{'ab'[number % 2]}", b"%d" % number)
            received = [(await temporary.messages.get()).payload for _ in range(100)]
            assert received == [b"%d" % number for number in range(100)]
            await temporary.client.drain()
        with pytest.raises(NotConnected):
            temporary.client.publish(topic, b"")

    run(scenario())


@pytest.mark.parametrize("qos", [0, 1])
def test_messages_come_at_the_qos_of_the_subscription(broker: Broker, qos: int) -> None:
    topic = name("temporary")

    async def scenario() -> None:
        async with temporary_client(access(broker.port), topic, qos=qos) as temporary:
            await temporary.wait_connected()
            temporary.client.publish(topic, b"x")
            message = await temporary.messages.get()
            assert (message.payload, message.qos) == (b"x", qos)

    run(scenario())


def test_a_message_that_the_broker_cannot_carry_is_refused(broker: Broker) -> None:
    async def scenario() -> None:
        account: BrokerAccess = {**access(broker.port), "broker": "nats"}
        async with temporary_client(account) as temporary:
            refused: list[tuple[int, str]] = []
            temporary.on_refused = lambda mid, reason: refused.append((mid, reason))
            await temporary.wait_connected()
            mid = temporary.client.publish(name("with a space"), b"x")
            await until(lambda: refused)
            assert [(one, "must have no space" in reason) for one, reason in refused] == [
                (mid, True)
            ]

    run(scenario())


def test_an_error_of_the_body_is_raised_as_it_is(broker: Broker) -> None:
    async def scenario() -> None:
        async with temporary_client(access(broker.port)) as temporary:
            await temporary.wait_connected()
            raise LookupError("the body's")

    with pytest.raises(LookupError, match="the body's"):
        run(scenario())


def test_a_timeout_in_the_body_is_raised_without_a_broker() -> None:
    async def scenario() -> None:
        async with temporary_client(access(1)) as temporary, asyncio.timeout(0.3):
            await temporary.wait_connected()

    with pytest.raises(TimeoutError):
        run(scenario())


def test_an_error_of_the_client_ends_the_body(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    topic = name("fails")

    def ack(*_: object) -> None:
        raise LookupError("the client's")

    monkeypatch.setattr(MqttClient, "ack", ack)

    async def scenario() -> None:
        async with temporary_client(access(broker.port), topic) as temporary:
            await temporary.wait_connected()
            temporary.client.publish(topic, b"")
            await until(lambda: False, 20)

    with pytest.raises(LookupError, match="the client's"):
        run(scenario())
