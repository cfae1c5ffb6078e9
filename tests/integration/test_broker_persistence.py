"""What the broker keeps for a session whose client is away."""

from pathlib import Path

import pytest

from run.configuration import persistence_plugin
from tests.integration.client import Client, run, until
from tests.integration.mosquitto_clients import publish
from tests.stack import Broker

COUNT = 2000
TOPIC = "devices/7/temp"

only_with_the_plugin = pytest.mark.skipif(
    persistence_plugin() is None, reason="Mosquitto is older than 2.1"
)


def visit(broker: Broker) -> list[bytes]:
    """Connect with a persistent session; return what had been waiting in it."""
    client = Client(broker.port, client_id="absent", subscriptions=[TOPIC])

    async def scenario() -> None:
        async with client.running():
            client.mqtt.publish(TOPIC, b"end")
            await until(lambda: b"end" in client.payloads())
            for message in client.messages:
                client.mqtt.ack(message)

    run(scenario())
    return client.payloads()[:-1]


def send(broker: Broker) -> None:
    """Publish COUNT messages, and wait until all are acknowledged and the last one committed."""
    sender = Client(broker.port)

    async def scenario() -> None:
        async with sender.running():
            for number in range(COUNT):
                sender.mqtt.publish(TOPIC, b"%d" % number)
            await sender.mqtt.drain()

    run(scenario())
    # Mosquitto commits a moment after the PUBACK, and before it reads anything that comes later.
    publish(broker, "devices/8/temp", 1)


def kept_after_a_kill(broker: Broker) -> int:
    visit(broker)
    send(broker)
    broker.kill()
    broker.start()
    broker.wait_ready()
    return len(visit(broker))


@only_with_the_plugin
def test_a_killed_broker_still_has_all_that_it_acknowledged(tmp_path: Path) -> None:
    with Broker(tmp_path) as broker:
        assert kept_after_a_kill(broker) == COUNT


@only_with_the_plugin
def test_control_with_commits_at_long_intervals_it_has_lost_them(tmp_path: Path) -> None:
    with Broker(tmp_path, settings="plugin_opt_flush_period 3600") as broker:
        assert kept_after_a_kill(broker) == 0


@pytest.mark.parametrize("queues", [True, False], ids=["as configured", "control: by default"])
def test_a_message_at_qos_0_waits_for_an_absent_client(tmp_path: Path, *, queues: bool) -> None:
    settings = "" if queues else "queue_qos0_messages false"
    with Broker(tmp_path, settings=settings) as broker:
        visit(broker)
        publish(broker, TOPIC, 1, "-q", "0")
        assert visit(broker) == ([b"1"] if queues else [])


def test_a_message_at_qos_0_that_waits_survives_an_orderly_restart(tmp_path: Path) -> None:
    broker = Broker(tmp_path)
    with broker:
        visit(broker)
        publish(broker, TOPIC, 1, "-q", "0")
        publish(broker, "devices/8/temp", 1)  # acknowledged, so the broker has read both
    with broker:
        assert visit(broker) == [b"1"]
