"""A broker that closes the connection at a message blocks nothing but that message."""

from pathlib import Path

import pytest

from telemetry.mqtt import redelivery
from tests.integration.client import Client, name, run, until
from tests.integration.closing_proxy import ClosingProxy
from tests.integration.posting import client, send
from tests.metrics import counted_at
from tests.stack import Bridge, Broker, Collector, Influx, wait_for

CLOSES = "the broker closes the connection at it"
ENOUGH = 8
"""Connections that are closed before a message is given up, and some."""


def has_space(topic: str) -> bool:
    return " " in topic


def books(collector: Collector) -> tuple[int, int, int]:
    """Return how many readings are stored, rejected and pending."""
    counters = counted_at(collector.url)
    return counters["stored"], counters["rejected"], counters["pending"]


def publish(broker: Broker) -> tuple[set[bytes], list[str], list[str]]:
    """Publish two messages with a space in their topic among a hundred.

    Returns what arrives, why messages were refused, and where the broker closed the connection.
    """
    root = name("closing")
    refused: list[str] = []

    async def scenario() -> None:
        sender = Client(proxy.port, on_refused=lambda _, reason: refused.append(reason))
        async with reader.running(), sender.running():
            for number in range(100):
                level = "a b" if number in (0, 60) else str(number % 7)
                sender.mqtt.publish(f"{root}/{level}", b"%d" % number)
            await until(lambda: refused or len(proxy.closed_at) > ENOUGH)
            if refused:
                await until(lambda: sender.mqtt.connected)
                sender.mqtt.publish(f"{root}/a b", b"again")
                sender.mqtt.publish(f"{root}/end", b"end")
                await until(lambda: b"end" in reader.payloads())

    with ClosingProxy(broker.port, has_space) as proxy:
        reader = Client(broker.port, subscriptions=[f"{root}/#"], clean_session=True)
        run(scenario())
    return set(reader.payloads()) - {b""}, refused, proxy.closed_at


def test_a_message_at_which_the_broker_closes_the_connection_is_given_up(broker: Broker) -> None:
    arrived, refused, closed_at = publish(broker)
    assert arrived == {b"end", *(b"%d" % number for number in range(100) if number not in (0, 60))}
    assert refused == [CLOSES] * 3
    assert len(closed_at) <= ENOUGH


def test_control_without_that_nothing_behind_it_arrives(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redelivery, "_CLOSURES", 10**9)
    monkeypatch.setattr("telemetry.mqtt.client.LONGEST_DELAY_S", 0.2)
    assert publish(broker)[:2] == (set(), [])


def test_where_the_broker_takes_nothing_of_a_kind_nothing_is_given_up(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As with an account that may not publish there: once it may, all arrives."""
    monkeypatch.setattr("telemetry.mqtt.client.LONGEST_DELAY_S", 0.2)
    refused: list[str] = []
    topic = name("denied")

    async def scenario() -> None:
        reader = Client(broker.port, subscriptions=[f"{topic}/#"], clean_session=True)
        sender = Client(proxy.port, on_refused=lambda _, reason: refused.append(reason))
        async with reader.running(), sender.running():
            for number in range(20):
                sender.mqtt.publish(f"{topic}/{number}", b"%d" % number)
            await until(lambda: len(proxy.closed_at) > ENOUGH)
            proxy.refuses = lambda _: False
            await until(lambda: len(set(reader.payloads())) >= 20)

    with ClosingProxy(broker.port, lambda sent: sent.startswith(topic)) as proxy:
        run(scenario())
    assert not refused


def test_such_a_reading_is_rejected_and_the_others_are_stored(
    broker: Broker, influx: Influx, tmp_path: Path
) -> None:
    port = influx.port
    bridge = Bridge(tmp_path / "bridge", mqtt_port=broker.port, influx_port=port)
    with ClosingProxy(broker.port, has_space) as proxy, bridge:
        collector = Collector(tmp_path / "collector", mqtt_port=proxy.port, influx_port=port)
        with collector, client(collector) as http:
            sensors = [name("s"), f"{name('s')} x", name("s"), f"{name('s')} y"]
            for sensor in sensors:
                reading = {"type": "t", "value": 1, "sensor_id": sensor}
                assert send(http, [reading] * 3).status_code == 201
            wait_for(lambda: books(collector) == (6, 6, 0), 20)
            assert collector.command("rejected").stdout.count(CLOSES) == 6
            proxy.refuses = lambda _: False
            assert collector.command("rejected", "--replay").returncode == 0
            wait_for(lambda: books(collector) == (12, 0, 0))
