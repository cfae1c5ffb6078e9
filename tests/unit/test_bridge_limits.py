"""What the bridge does while the broker acknowledges nothing."""
# ruff: noqa: SLF001  its parts, without a broker

import asyncio

import pytest

from bridge.service import _MAX_READING, Bridge
from bridge.settings import Settings
from collector.intake.draft import draft
from telemetry.origin import prefix
from telemetry.reading import MAX_LABEL, MAX_VALUE, Reading
from telemetry.settings import load
from tests.unit.faulty_storage import FaultyStorage


class SilentBroker:
    """Takes messages, and acknowledges none of them."""

    connected = True
    epoch = 1

    def __init__(self) -> None:
        self.unacknowledged = 0

    def publish(self, *_: object, **__: object) -> int:
        self.unacknowledged += 1
        return self.unacknowledged


def test_statuses_do_not_use_up_the_ids_of_mqtt(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> int:
        bridge = Bridge(load(Settings), FaultyStorage())
        broker = SilentBroker()
        monkeypatch.setattr(bridge, "_mqtt", broker)
        for _ in range(70_000):
            bridge._publish_status()
        return broker.unacknowledged

    assert asyncio.run(main()) == 20_000


@pytest.mark.parametrize("character", ["\U0001f600", '"'])  # 4 bytes in UTF-8; escaped in JSON
def test_the_largest_reading_is_below_the_bound_of_a_message(character: str) -> None:
    label = character * MAX_LABEL
    largest = draft(
        Reading(
            ts="2026-01-31T12:00:00.123456789Z", type=label, sensor_id=label, value=-int(MAX_VALUE)
        )
    )
    head = b'"id":"' + prefix("o" * 64, "r" * 64).encode() + b"9" * 19 + b'",'
    assert 500 < len(head + largest.body) <= _MAX_READING
