"""What the bridge does while the broker acknowledges nothing."""
# ruff: noqa: SLF001  its parts, without a broker

import asyncio

import pytest

from bridge.service import Bridge
from bridge.settings import Settings
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
