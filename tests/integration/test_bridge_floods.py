"""The bridge under floods: what nobody can read, receipts for nobody, thousands to forward."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.builders import published
from tests.integration.mosquitto_clients import Subscriber, publish
from tests.integration.points import points
from tests.stack import Stack, wait_for

TS = "2026-01-31T12:00:00Z"
# What asyncio reads from a socket at once, of the flood's smallest packet.
READ_AT_ONCE = (1 << 18) // 15


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Everything but a collector."""
    stack = Stack(tmp_path_factory.mktemp("floods"))
    try:
        stack.start("broker", "influx", "bridge")
        yield stack
    finally:
        stack.stop()


def flood(stack: Stack, topic: str, lines: bytes, qos: int = 0) -> None:
    """Publish each line as a message, as fast as mosquitto_pub can."""
    argv = ["mosquitto_pub", "-p", str(stack.broker.port), "-t", topic, "-q", str(qos), "-l"]
    subprocess.run(argv, input=lines, check=True, timeout=120)


def counters(stack: Stack) -> dict[str, int]:
    counted: dict[str, int] = json.loads(stack.broker.retained("status/bridge/bridge"))["counters"]
    return counted


def assert_still_stores(stack: Stack, sensor: str) -> None:
    def is_stored() -> bool:
        # Again and again: the broker drops what is more than it queues for the bridge.
        publish(stack.broker, f"readings/{sensor}/temp", published(sensor, 1, TS))
        return bool(points(stack.influx, sensor))

    wait_for(is_stored, 60, "a reading stored")
    assert stack.bridge.running


def test_unreadable_messages_are_counted_and_a_bounded_number_explained(
    stack: Stack, sensor: str
) -> None:
    flood(stack, "readings/a", b"x\n" * 400_000)
    assert_still_stores(stack, sensor)
    wait_for(lambda: counters(stack)["dead_letters_dropped"] > 0)
    assert counters(stack)["queue"] <= 20_001 + READ_AT_ONCE
    lines = [line for line in stack.bridge.log_text().splitlines() if "unreadable" in line]
    assert 0 < len(lines) < 200  # one a second


def test_more_receipts_than_there_are_mqtt_ids_do_not_end_the_bridge(
    stack: Stack, sensor: str
) -> None:
    reading = '{{"id":"o{0}:1","ts":"%s","type":"t","value":1,"sensor_id":"f"}}\n' % TS  # noqa: UP031
    lines = "".join(reading.format(number) for number in range(200_000))
    flood(stack, "readings/f/t", lines.encode())
    assert_still_stores(stack, sensor)


def test_each_message_of_a_device_is_forwarded(stack: Stack, sensor: str, tmp_path: Path) -> None:
    count = 5_000
    with Subscriber(tmp_path, stack.broker, f"devices/{sensor}/temp") as forwarded:
        lines = "".join(f'{{"value":{n},"ts":"{TS}"}}\n' for n in range(count))
        flood(stack, f"readings/{sensor}/temp", lines.encode(), qos=1)
        wait_for(lambda: len(forwarded.received()) >= count, 60, "all of them on devices/")
        values = {message.payload["value"] for message in forwarded.received()}
    assert values == set(range(count))
    wait_for(lambda: counters(stack)["forwarded"] == count)
    assert points(stack.influx, sensor) == {}
    hint = "forwarded to devices/, where devices should publish now"
    assert stack.bridge.log_text().count(hint) == 1
