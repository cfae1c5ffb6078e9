"""Messages to a real broker and back."""

import asyncio
import tracemalloc

import pytest

from telemetry.mqtt import LARGEST_PACKET, Message, NotConnected
from tests.integration.client import LOOPS, Client, name, run, until
from tests.stack import Broker

WINDOW = 1000


@pytest.mark.parametrize("loop", LOOPS)
def test_ten_thousand_messages_arrive_in_order_and_are_acknowledged(
    broker: Broker, loop: str
) -> None:
    count = 10_000
    topic = name("roundtrip")

    async def scenario() -> None:
        def take(message: Message) -> None:
            receiver.messages.append(message)
            receiver.mqtt.ack(message)

        receiver = Client(broker.port, subscriptions=[f"{topic}/#"], on_message=take)
        sender = Client(broker.port)
        async with receiver.running(), sender.running():
            for start in range(0, count, WINDOW):
                for number in range(start, start + WINDOW):
                    sender.mqtt.publish(f"{topic}/{number % 7}", b"%d" % number)
                await sender.mqtt.drain()
            await until(lambda: len(receiver.messages) == count)
        assert receiver.payloads() == [b"%d" % number for number in range(count)]
        assert receiver.messages[8].topic == f"{topic}/1"
        assert len(set(sender.pubacks)) == len(sender.pubacks) == count

    run(scenario(), loop)


# The largest payload besides the topic `size/ä`, its length and the message id.
LARGEST = LARGEST_PACKET - 4 - len("size/ä".encode())


# Each length of the packet's header, and the sizes where it changes.
@pytest.mark.parametrize("size", [0, 1, 100, 117, 118, 119, 1000, 16_000, 16_373, 16_374, LARGEST])
def test_payloads_of_every_size_arrive_unchanged(broker: Broker, size: int) -> None:
    async def scenario() -> None:
        client = Client(broker.port, subscriptions=["size/#"], clean_session=True)
        payload = bytes(i % 251 for i in range(size))
        async with client.running():
            client.mqtt.publish("size/ä", payload)
            client.mqtt.publish("size/after", b"")
            await until(lambda: len(client.messages) == 2)
        assert [(m.topic, m.payload) for m in client.messages] == [
            ("size/ä", payload),
            ("size/after", b""),
        ]

    run(scenario())


def test_only_unacknowledged_messages_are_redelivered(broker: Broker) -> None:
    topic = name("again")
    options = {"client_id": name("again"), "subscriptions": [topic]}

    async def scenario() -> None:
        before = Client(broker.port, **options)
        async with before.running():
            for number in range(10):
                before.mqtt.publish(topic, b"%d" % number)
            await until(lambda: len(before.messages) == 10)
            for message in before.messages[::2]:
                before.mqtt.ack(message)
        after = Client(broker.port, **options)
        async with after.running():
            await until(lambda: len(after.messages) >= 5)
            after.mqtt.publish(topic, b"end")
            await until(lambda: b"end" in after.payloads())
        assert after.sessions == [True]
        assert after.payloads() == [b"1", b"3", b"5", b"7", b"9", b"end"]

    run(scenario())


def test_a_subscription_that_the_session_lacks_is_made_at_the_first_connection(
    broker: Broker,
) -> None:
    client_id, topic = name("grown"), name("grown")

    async def scenario() -> None:
        async with Client(broker.port, client_id=client_id).running():
            pass
        grown = Client(broker.port, client_id=client_id, subscriptions=[topic])
        async with grown.running():
            grown.mqtt.publish(topic, b"")
            await until(lambda: grown.messages)
        assert grown.sessions == [True]

    run(scenario())


def test_retained_and_qos_0_messages_are_marked(broker: Broker) -> None:
    topic = name("marks")

    async def scenario() -> None:
        sender = Client(broker.port)
        async with sender.running():
            sender.mqtt.publish(f"{topic}/kept", b"old", retain=True)
            await sender.mqtt.drain()
        receiver = Client(broker.port, subscriptions=[f"{topic}/#"])
        async with receiver.running():
            await until(lambda: receiver.messages)
            arguments = ("-p", str(broker.port), "-q", "0", "-t", f"{topic}/live", "-n")
            publisher = await asyncio.create_subprocess_exec("mosquitto_pub", *arguments)
            await publisher.wait()
            await until(lambda: len(receiver.messages) == 2)
            kept, live = receiver.messages
            assert (kept.payload, kept.retain, kept.qos) == (b"old", True, 1)
            assert (live.payload, live.retain, live.qos, live.mid) == (b"", False, 0, 0)
            receiver.mqtt.ack(live)  # nothing to acknowledge: must not disturb
            receiver.mqtt.ack(kept)
            receiver.mqtt.publish(f"{topic}/more", b"")
            await until(lambda: len(receiver.messages) == 3)

    run(scenario())


def test_publishing_without_a_connection_fails_and_is_not_made_up_for(broker: Broker) -> None:
    topic = name("refused")

    async def scenario() -> None:
        client = Client(broker.port, subscriptions=[topic])
        with pytest.raises(NotConnected):
            client.mqtt.publish(topic, b"early")
        async with client.running():
            client.mqtt.publish(topic, b"in time")
            await until(lambda: client.messages)
        with pytest.raises(NotConnected):
            client.mqtt.publish(topic, b"late")
        assert client.payloads() == [b"in time"]
        assert client.losses == 1

    run(scenario())


@pytest.mark.parametrize("topic", ["", "a/+/b", "a/#", "a\0b", "x" * 65536])
def test_a_message_that_a_broker_might_disconnect_for_is_refused(
    broker: Broker, topic: str
) -> None:
    async def scenario() -> None:
        client = Client(broker.port)
        async with client.running():
            with pytest.raises(ValueError, match="topic"):
                client.mqtt.publish(topic, b"")
            with pytest.raises(ValueError, match="expected at most 65535"):
                client.mqtt.publish("size/ä", bytes(LARGEST + 1))
            client.mqtt.publish("fine", b"")
            await until(lambda: client.pubacks)
        assert client.sessions == [False]

    run(scenario())


CALLBACKS = ["on_connected", "on_message", "on_puback", "on_disconnected"]


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("callback", CALLBACKS)
def test_what_a_callback_raises_ends_run(broker: Broker, callback: str, loop: str) -> None:
    topic = name("raises")

    def fail(*_: object) -> None:
        raise OSError(callback)  # must not be mistaken for a network error

    async def scenario() -> None:
        client_id = name("raises")
        client = Client(broker.port, client_id=client_id, subscriptions=[topic], **{callback: fail})
        task = asyncio.create_task(client.mqtt.run())
        if callback != "on_connected":
            await until(lambda: client.mqtt.connected)
            client.mqtt.publish(topic, b"")
        if callback == "on_disconnected":
            async with Client(broker.port, client_id=client_id).running():  # takes it over
                await until(task.done)
        with pytest.raises(OSError, match=callback):
            await asyncio.wait_for(task, 10)
        assert not client.mqtt.connected

    run(scenario(), loop)


def test_the_will_is_published_after_an_error_and_not_after_a_clean_end(broker: Broker) -> None:
    def fail(_: Message) -> None:
        raise ValueError("poked")

    async def scenario() -> None:
        topic = name("will")
        witness = Client(broker.port, subscriptions=[f"{topic}/#"])
        async with witness.running():
            clean = Client(broker.port, will=(f"{topic}/clean", b"offline"))
            async with clean.running():
                pass
            options = {"subscriptions": [f"{topic}/poke"], "on_message": fail}
            failing = Client(broker.port, will=(f"{topic}/failed", b"offline"), **options)
            task = asyncio.create_task(failing.mqtt.run())
            await until(lambda: failing.mqtt.connected)
            witness.mqtt.publish(f"{topic}/poke", b"")
            with pytest.raises(ValueError, match="poked"):
                await asyncio.wait_for(task, 10)
            await until(lambda: b"offline" in witness.payloads())
        assert [m.topic for m in witness.messages] == [f"{topic}/poke", f"{topic}/failed"]

    run(scenario())


def test_memory_does_not_grow_with_the_number_of_messages(broker: Broker) -> None:
    topic = name("memory")

    async def scenario() -> None:
        arrived = 0

        def take(message: Message) -> None:
            nonlocal arrived
            arrived += 1
            client.mqtt.ack(message)

        client = Client(
            broker.port, subscriptions=[topic], on_message=take, on_puback=lambda _: None
        )

        async def send(count: int) -> int:
            nonlocal arrived
            for _ in range(count):
                for _ in range(100):
                    client.mqtt.publish(topic, bytes(100))
                await client.mqtt.drain()
            await until(lambda: arrived % 100 == 0)
            return tracemalloc.get_traced_memory()[0]

        async with client.running():
            tracemalloc.start()
            try:
                first = await send(10)
                assert await send(100) < first + 100_000
            finally:
                tracemalloc.stop()

    run(scenario())
