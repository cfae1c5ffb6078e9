"""The broker is killed, stalls, refuses, and comes back."""

import asyncio
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from telemetry.mqtt import client as mqtt_client
from tests.integration.client import LOOPS, Client, run, until
from tests.integration.script import Script
from tests.stack import Broker


@pytest.fixture
def own_broker(tmp_path: Path) -> Iterator[Broker]:
    """A running broker for one test alone."""
    with Broker(tmp_path) as broker:
        yield broker


@pytest.fixture(autouse=True)
def _reconnects_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mqtt_client, "LONGEST_DELAY_S", 0.2)


def test_an_acknowledgement_from_before_the_reconnect_is_dropped(own_broker: Broker) -> None:
    async def scenario() -> None:
        client = Client(own_broker.port, subscriptions=["t"])
        async with client.running():
            for payload in (b"old", b"new"):
                client.mqtt.publish("t", payload)
            await until(lambda: len(client.messages) == 2)
            own_broker.stop()
            await until(lambda: client.losses == 1)
            client.mqtt.ack(client.messages[0])
            own_broker.start()
            await until(lambda: len(client.messages) == 4)
            client.mqtt.ack(client.messages[1])  # its id is again that of a message
            client.mqtt.ack(client.messages[2])
            client.mqtt.publish("t", b"last")
            await until(lambda: len(client.messages) == 5)
            own_broker.stop()
            own_broker.start()
            await until(lambda: len(client.messages) == 7)
        assert client.payloads() == [b"old", b"new"] * 2 + [b"last"] + [b"new", b"last"]
        assert [m.mid for m in client.messages[:2]] == [m.mid for m in client.messages[2:4]]
        assert client.sessions == [False, True, True]

    run(scenario())


@pytest.mark.parametrize("loop", LOOPS)
def test_each_publish_is_acknowledged_once_though_the_broker_is_killed(
    own_broker: Broker, loop: str
) -> None:
    count = 6_000

    async def kill_and_start(client: Client) -> None:
        for _ in range(2):
            limit = len(client.pubacks) + 1_000
            await until(lambda: len(client.pubacks) > limit)  # noqa: B023
            own_broker.kill()
            await until(lambda: not client.mqtt.connected)
            own_broker.start()

    async def scenario() -> None:
        client = Client(own_broker.port)
        handed_out: list[int] = []
        async with client.running(), asyncio.TaskGroup() as tasks:
            tasks.create_task(kill_and_start(client))
            while len(handed_out) < count:
                await until(
                    lambda: client.mqtt.connected and len(handed_out) - len(client.pubacks) < 500
                )
                handed_out.append(client.mqtt.publish("t", b"%d" % len(handed_out)))
                await asyncio.sleep(0)
            await client.mqtt.drain()
        assert sorted(client.pubacks) == handed_out == list(range(1, count + 1))
        assert len(client.sessions) == client.losses == 3

    run(scenario(), loop)


@pytest.mark.parametrize("loop", LOOPS)
def test_a_stalled_broker_is_disconnected_and_does_not_block_the_loop(
    own_broker: Broker, loop: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mqtt_client, "KEEPALIVE_S", 1)
    monkeypatch.setattr(mqtt_client, "HANDSHAKE_S", 0.5)

    async def scenario() -> None:
        clock = asyncio.get_running_loop()
        longest = 0.0

        async def watch() -> None:
            nonlocal longest
            before = clock.time()
            while True:
                await asyncio.sleep(0.01)
                before, passed = clock.time(), clock.time() - before
                longest = max(longest, passed)

        client = Client(own_broker.port)
        async with client.running(), asyncio.TaskGroup() as tasks:
            watcher = tasks.create_task(watch())
            own_broker.pause()
            try:
                unsent = [client.mqtt.publish("t", bytes(50_000)) for _ in range(200)]
                await until(lambda: client.losses == 1)
                await asyncio.sleep(
                    1
                )  # some attempts while the broker accepts connections and stays silent
                assert len(client.sessions) == 1
            finally:
                own_broker.resume()
            await until(lambda: len(client.sessions) == 2)
            await until(lambda: sorted(client.pubacks) == unsent)
            watcher.cancel()
        assert longest < 0.5

    run(scenario(), loop)


@pytest.mark.parametrize("loop", LOOPS)
def test_a_missing_broker_is_waited_for_and_logged_once(
    tmp_path: Path, loop: str, caplog: pytest.LogCaptureFixture
) -> None:
    broker = Broker(tmp_path)

    async def scenario() -> None:
        client = Client(broker.port)
        async with client.started() as task:
            await until(lambda: caplog.records)
            await asyncio.sleep(1)
            assert not task.done()
            with broker:
                await until(lambda: client.mqtt.connected and len(caplog.records) > 1)

    with caplog.at_level("INFO"):
        run(scenario(), loop)
    waiting, connected = caplog.messages
    assert f"waiting for the MQTT broker at 127.0.0.1:{broker.port}: " in waiting
    assert "refused" in waiting or "failed" in waiting
    assert connected.startswith(f"connected to the MQTT broker at 127.0.0.1:{broker.port} as ")


def test_after_a_wrong_password_the_client_retries_and_logs_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    accounts = tmp_path / "accounts"
    subprocess.run(["mosquitto_passwd", "-c", "-b", accounts, "user", "right"], check=True)
    accounts.chmod(0o644)
    settings = f"allow_anonymous false\npassword_file {accounts}\n"
    closed = Broker(tmp_path / "closed", settings=settings)
    opened = Broker(tmp_path / "opened", port=closed.port)

    async def scenario() -> None:
        wrong = Client(closed.port, username="user", password="wrong")
        right = Client(closed.port, username="user", password="right")
        async with wrong.started() as task:
            with closed:
                await until(lambda: caplog.records)
                async with right.running():
                    assert right.sessions
                assert not task.done()
                assert not wrong.sessions
            with opened:
                await until(lambda: wrong.sessions)

    run(scenario())
    address = f"127.0.0.1:{closed.port}"
    logged = f"waiting for the MQTT broker at {address}: refused: Not authorized"
    assert caplog.messages.count(logged) == 1


def test_unacknowledged_messages_are_redelivered_before_newer_ones() -> None:
    script = Script()

    async def scenario() -> None:
        async with script.listening():

            def connected(session_present: bool) -> None:
                client.sessions.append(session_present)
                client.mqtt.publish("t", b"hello")

            client = Client(script.port, on_connected=connected)
            async with client.running():
                client.mqtt.publish("t", b"kept", retain=True)
                await until(lambda: len(script.publishes()) == 2)
                script.writers[0].write(bytes((0x40, 2, 0, 1)))
                await until(lambda: client.pubacks == [1])
                script.writers[0].close()
                await until(lambda: len(script.publishes()) == 4)
                script.writers[1].write(bytes((0x40, 2, 0, 2, 0x40, 2, 0, 3)))
                await asyncio.wait_for(client.mqtt.drain(), 5)
        dup, retain = 0x08, 0x01
        assert script.publishes() == [
            (0x32, 1, b"hello"),
            (0x32 | retain, 2, b"kept"),
            (0x32 | retain | dup, 2, b"kept"),
            (0x32, 3, b"hello"),
        ]
        assert client.pubacks == [1, 2, 3]

    run(scenario())


def test_a_peer_with_another_protocol_is_disconnected(caplog: pytest.LogCaptureFixture) -> None:
    script = Script()

    async def scenario() -> None:
        async with script.listening():
            client = Client(script.port)
            async with client.running() as task:
                script.writers[0].write(b"HTTP/1.1 400 Bad Request\r\n\r\n" * 5)
                await until(lambda: len(client.sessions) == 2)
                assert not task.done()

    run(scenario())
    assert "lost" in caplog.text


def test_after_a_refused_subscription_the_client_retries_and_logs_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    script = Script()
    script.suback = 0x80

    async def scenario() -> None:
        async with script.listening():
            client = Client(script.port, subscriptions=["secret/#"])
            async with client.started():
                await until(lambda: len(script.writers) > 1)
                assert not client.sessions
                script.suback = 1
                await until(lambda: client.sessions == [True])

    run(scenario())
    assert "refused: to subscribe to secret/#" in caplog.messages[0]
