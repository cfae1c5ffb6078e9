"""The intake of devices' messages with a real outbox, and a broker in memory."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from collector.access.identities import Identities
from collector.access.rates import RateLimit
from collector.access.series import SeriesLimit
from collector.devices import intake
from collector.devices.intake import DeviceIntake
from collector.devices.senders import Senders
from collector.formats import Formats
from collector.intake.labels import Labels
from collector.outbox.outbox import Outbox
from telemetry.receipt import Receipt
from telemetry.settings import ConnectionSettings
from tests.identities import OPEN
from tests.unit.memory_broker import MemoryClient, Packet

MAX_SERIES = 2_000
"""How many series one sender may begin; the others of these tests have fewer."""


class Rig:
    """`events` are what the broker saw: ("ack", payload) and (topic, payload)."""

    def __init__(
        self, directory: Path, kind: type[DeviceIntake], max_bytes: int, identities: Identities
    ) -> None:
        self.outbox = Outbox(directory / "outbox.db", max_bytes=max_bytes, keep_s=3600)
        self.events: list[tuple[str, bytes]] = []
        self.committed: list[tuple[str, float]] = []
        self.outbox.add_listener(
            lambda rows: self.committed.extend((row.series, row.value) for row in rows)
        )
        self.client: MemoryClient
        patch = pytest.MonkeyPatch()
        patch.setattr(intake, "MqttClient", self._client)
        formats = Formats.load("devices,ttn,tasmota", "", "UTC")
        series = SeriesLimit(MAX_SERIES, self.outbox.newest)
        senders = Senders(identities, series, RateLimit(0), Labels("mosquitto"))
        self.intake = kind(self.outbox, ConnectionSettings().broker, formats, senders)
        patch.undo()
        self._running = asyncio.create_task(self.intake.run())

    def _client(self, **options: object) -> MemoryClient:
        self.client = MemoryClient(
            **options,  # type: ignore[arg-type]
            will=("", b""),
            on_ack=self._on_ack,
            on_publish=lambda topic, payload: self.events.append((topic, payload)),
            on_received=lambda *_: None,
        )
        return self.client

    def _on_ack(self, packet: Packet) -> None:
        self.events.append(("ack", packet.payload))

    async def settle_all(self) -> None:
        """Let InfluxDB store everything, so that the outbox has room again."""
        self.outbox.settle(Receipt([(1, self.outbox.last)], run=self.outbox.run))
        self.outbox.verify(1, self.outbox.last)
        self.outbox.commit()

    async def idle(self) -> None:
        for _ in range(200):
            await asyncio.sleep(0)

    async def close(self) -> None:
        self._running.cancel()
        await asyncio.wait([self._running])
        self.outbox.close()


def run(
    directory: Path,
    scenario: Callable[[Rig], Awaitable[None]],
    kind: type[DeviceIntake] = DeviceIntake,
    max_bytes: int = 1 << 30,
    identities: Identities = OPEN,
) -> None:
    """Run a scenario with a connected rig."""

    async def body() -> None:
        rig = Rig(directory, kind, max_bytes, identities)
        rig.client.connect(session_present=False)
        try:
            await scenario(rig)
        finally:
            await rig.close()

    asyncio.run(body())
