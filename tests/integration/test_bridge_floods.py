"""The bridge under floods: what nobody can read, receipts for nobody, thousands rejected."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from telemetry.timestamp import render
from tests.integration.mosquitto_clients import Subscriber, publish
from tests.integration.points import period, points, rejecting
from tests.stack import Stack, wait_for

TS = "2026-01-31T12:00:00Z"
OLD_TS = render(period(5))
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
        publish(stack.broker, f"readings/{sensor}/temp", {"value": 1, "ts": TS})
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


def test_each_rejected_reading_of_a_device_has_its_dead_letter(
    stack: Stack, sensor: str, tmp_path: Path
) -> None:
    count = 5_000
    topic = f"readings/{sensor}/temp"
    with (
        rejecting(stack.influx, period(5)),
        Subscriber(tmp_path, stack.broker, f"rejected/{sensor}/temp") as letters,
    ):
        lines = "".join(f'{{"value":{n},"ts":"{OLD_TS}"}}\n' for n in range(count))
        flood(stack, topic, lines.encode(), qos=1)
        wait_for(lambda: len(letters.received()) >= count, 60, "all dead letters")
        values = {json.loads(m.payload["payload"])["value"] for m in letters.received()}
    assert values == set(range(count))
