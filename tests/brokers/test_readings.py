"""The promise on other brokers: what was accepted is stored, whatever is killed."""

import threading

import httpx
import pytest

from tests.brokers.pipeline import Pipeline
from tests.integration.client import Client, name, run, until
from tests.integration.posting import client, problem, send
from tests.service import wait_for
from tests.unit.test_brokers import CARRIED, NOT_CARRIED


def batch(sensor: str, count: int) -> list[dict[str, object]]:
    return [{"type": "t", "value": n, "sensor_id": f"{sensor}-{n % 7}"} for n in range(count)]


def wait_stored(other: Pipeline, seconds: float = 60) -> None:
    """Wait until all that was accepted is stored or rejected."""
    wait_for(lambda: other.books()[3] == 0, seconds, "nothing pending")


def stored(other: Pipeline, sensor: str) -> int:
    query = f"SELECT count(value) FROM data WHERE sensor_id =~ /^{sensor}-/"  # noqa: S608
    rows = other.influx.query(query)
    return int(rows[0]["count"]) if rows else 0


def test_ten_thousand_readings_are_stored(other: Pipeline) -> None:
    sensor = name("many")
    with client(other.collector) as http:
        for _ in range(10):
            assert send(http, batch(sensor, 1000)).status_code == 201
        wait_stored(other)
    assert stored(other, sensor) == 10_000
    assert other.books()[2] == 0


@pytest.mark.parametrize("part", ["broker", "collector", "bridge"])
def test_no_reading_is_lost_when_a_part_is_killed(other: Pipeline, part: str) -> None:
    sensor = name("killed")
    accepted = 0
    ended = threading.Event()

    def post() -> None:
        nonlocal accepted
        with client(other.collector) as http:
            while not ended.is_set():
                try:
                    accepted += 20 * (send(http, batch(sensor, 20)).status_code == 201)
                except httpx.HTTPError:
                    ended.wait(0.05)

    thread = threading.Thread(target=post)
    thread.start()
    try:
        for _ in range(2):
            before = accepted
            wait_for(lambda: accepted > before + 500, 30)  # noqa: B023
            service = getattr(other, part)
            service.kill()
            service.start()
            service.wait_ready(60)
    finally:
        ended.set()
        thread.join()
    wait_stored(other, 90)
    assert stored(other, sensor) >= accepted > 1000
    assert other.books()[2] == 0


@pytest.mark.parametrize("label", NOT_CARRIED["all"])
def test_what_is_not_carried_is_refused(other: Pipeline, label: str) -> None:
    kind = other.broker.kind
    if label not in NOT_CARRIED[kind]:
        pytest.skip(f"{kind} carries it")
    with client(other.collector) as http:
        for field in ("sensor_id", "type"):
            reading = {"type": "t", "value": 1, "sensor_id": 7, field: label}
            (fault,) = problem(send(http, [reading]), 422)["errors"]
            assert (fault["field"], fault["value"]) == (field, label)


def test_every_other_label_is_stored(other: Pipeline) -> None:
    labels = [label for label in CARRIED if label not in NOT_CARRIED[other.broker.kind]]
    readings = [
        {"type": "t", "value": 1, "sensor_id": 7, field: label}
        for label in labels
        for field in ("sensor_id", "type")
    ]
    with client(other.collector) as http:
        assert send(http, readings).status_code == 201
    wait_stored(other)
    assert other.books()[2] == 0


def test_a_device_is_answered_and_its_messages_wait_for_the_collector(other: Pipeline) -> None:
    sensor = name("device")

    async def scenario() -> None:
        device = Client(
            other.broker.port, subscriptions=[f"accepted/{sensor}", f"refused/{sensor}"]
        )
        async with device.running():
            device.mqtt.publish(f"devices/{sensor}/t", b'{"value":1,"ref":1}')
            await until(lambda: b'{"ref":1,"count":1}' in device.payloads())
            other.collector.kill()
            for ref in range(2, 102):
                device.mqtt.publish(f"devices/{sensor}/t", b'{"value":1,"ref":%d}' % ref)
            await device.mqtt.drain()
            other.broker.kill()
            other.broker.start()
            other.broker.wait_ready(60)
            other.collector.start()
            await until(lambda: len(set(device.payloads())) == 101, 60)
            device.mqtt.publish(f"devices/{sensor}/t", b'{"value":"hot","ref":0}')
            await until(lambda: any(b'"errors"' in payload for payload in device.payloads()))

    run(scenario())
    other.collector.wait_ready()
    wait_stored(other)


def test_newest_readings_wills_and_announcements_are_retained(other: Pipeline) -> None:
    sensor = name("retained")
    reading = {"type": "t", "value": 21.5, "sensor_id": sensor}
    with client(other.collector) as http:
        assert send(http, reading).status_code == 201
    wait_stored(other)

    async def retained(topic: str) -> list[bytes]:
        reader = Client(other.broker.port, subscriptions=[topic], clean_session=True)
        async with reader.running():
            await until(lambda: reader.messages, 20)
        return [message.payload for message in reader.messages if message.retain]

    async def scenario() -> None:
        assert b"21.5" in (await retained(f"readings/{sensor}/t"))[0]
        other.bridge.kill()
        watcher = Client(other.broker.port, subscriptions=["status/bridge/bridge"])
        async with watcher.running():
            await until(lambda: any(b"offline" in seen for seen in watcher.payloads()), 30)
        other.bridge.start()

    run(scenario())
    other.bridge.wait_ready(60)
