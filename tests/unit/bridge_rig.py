"""A bridge with a broker in memory and a faulty storage, and what it may acknowledge."""

import asyncio
import contextlib
import json
import math
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any, NamedTuple

import msgspec
import pytest

from bridge.service import Bridge
from bridge.settings import Settings
from bridge.storage import Outcome, Result
from telemetry import topics
from telemetry.receipt import Receipt
from telemetry.status import INTERVAL_S, Status
from tests.unit import faulty_storage
from tests.unit.faulty_storage import BROKEN, POISON, FaultyStorage, waiting
from tests.unit.memory_broker import MemoryClient, Packet

# The product's limits, small enough to be reached.
MAX_QUEUED = 6
LIMITS: dict[str, float] = {
    "bridge.service._MAX_QUEUED": MAX_QUEUED,
    "bridge.service._DRAIN_S": 0,
    "telemetry.dead_letters.letters.WINDOW": 3,
    "telemetry.dead_letters.letters.BURST": 4,
    "telemetry.dead_letters.letters.RATE": 1,
    "bridge.forwarding.WINDOW": 3,
    "bridge.writer._FIRST_DELAY_S": 0.0,
    "bridge.writer._LINGER_S": 0.0,
    "bridge.aside._FIRST_DELAY_S": 0.0,
    "bridge.aside.MAX_POINTS": 5,
}
VALUES = {"good": 1, "poison": POISON, "broken": BROKEN}
UNREADABLE = "unreadable"
STATUS = topics.status("bridge", "bridge")
COLLECTOR = ("outbox", "run")


class Sent(NamedTuple):
    """What someone published: its content, and the outbox and run if it was a collector."""

    number: int
    content: str
    origin: tuple[str, str] | None
    qos: int
    payload: bytes


class BridgeRig:
    """Bridge, broker and storage; every method runs the event loop until it is idle.

    A message has a number: its timestamp and, if it is a collector's, its sequence number.
    """

    def __init__(self, kind: type[Bridge] = Bridge, limits: Mapping[str, float] = LIMITS) -> None:
        self._patch = pytest.MonkeyPatch()
        for name, limit in limits.items():
            self._patch.setattr(name, limit)
        self._max_unacknowledged = limits.get("bridge.service._MAX_UNACKNOWLEDGED", math.inf)
        self.now = 1000.0
        clock = SimpleNamespace(monotonic=lambda: self.now)
        for module in ("bridge.forwarding", "telemetry.dead_letters.letters"):
            self._patch.setattr(f"{module}.time", clock)
        self._ticked = asyncio.Event()
        loop_time = SimpleNamespace(sleep=self._sleep, timeout=asyncio.timeout)
        self._patch.setattr("bridge.service.asyncio", loop_time)
        self._patch.setattr("bridge.service.MqttClient", self._client)
        self.sent: list[Sent] = []
        self.lost: set[int] = set()  # by the broker
        self.named: set[int] = set()  # in receipts
        self.buried: set[int] = set()  # the broker has their dead letters
        self.forwarded: set[int] = set()  # the broker has them on devices/
        self.published: list[tuple[str, bytes]] = []
        self._unexplained = 0  # acknowledged without a dead letter
        self._loop = asyncio.new_event_loop()
        self._loop.run_until_complete(self._start(kind))
        self.settle_down()

    async def _start(self, kind: type[Bridge]) -> None:
        self.storage = FaultyStorage()
        self.bridge = kind(Settings(batch_max=4), self.storage)
        self.running = asyncio.create_task(self.bridge.run())

    def _client(self, **options: Any) -> MemoryClient:  # noqa: ANN401  those of MqttClient
        self.broker = MemoryClient(
            on_ack=self._check_ack,
            on_publish=self._on_publish,
            on_received=self._on_received,
            **options,
        )
        return self.broker

    async def _sleep(self, seconds: float) -> None:
        assert seconds == INTERVAL_S
        await self._ticked.wait()
        self._ticked.clear()

    def close(self) -> None:
        self.running.cancel()
        with contextlib.suppress(asyncio.CancelledError, AssertionError):
            self._loop.run_until_complete(self.running)
        self._loop.close()
        self._patch.undo()

    def settle_down(self) -> None:
        async def turns() -> None:
            for _ in range(40):
                await asyncio.sleep(0)
            if self.running.done():
                self.running.result()

        self._loop.run_until_complete(turns())

    def send(self, content: str, origin: tuple[str, str] | None = COLLECTOR, qos: int = 1) -> int:
        """Let a collector, or with None as its outbox and run a device, publish a message."""
        number = len(self.sent) + 1
        payload = f"nonsense {number}"
        if content != UNREADABLE:
            ts = f"1970-01-01T00:00:00.{number:09}Z"
            reading: dict[str, object] = {"value": VALUES[content], "ts": ts}
            if origin:
                identity = f"{origin[0]}.{origin[1]}:{number}"
                reading |= {"id": identity, "sensor_id": 123, "type": "temp"}
            payload = json.dumps(reading, separators=(",", ":"))
        self.sent.append(Sent(number, content, origin, qos, payload.encode()))
        if not self.broker.connected:
            self.lost.add(number)
        self.send_again(number, topics.READINGS)
        return number

    def send_again(self, number: int, root: str = topics.REPLAY) -> None:
        """Let a collector replay a reading."""
        sent = self.sent[number - 1]
        self.broker.offer(root + "123/temp", sent.payload, sent.qos)
        self.settle_down()

    def connect(self) -> None:
        if not self.broker.connected:
            self.broker.connect()
            self.settle_down()

    def _in_session(self) -> list[Sent]:
        held = [packet.payload for packet in self.broker.session]
        return [sent for sent in self.sent if sent.payload in held]

    def disconnect(self) -> None:
        if self.broker.connected:
            self.lost |= {one.number for one in self._in_session()}
            self.broker.disconnect()
            self.settle_down()

    def puback(self, count: int = 1000) -> None:
        self.broker.puback(count)
        self.settle_down()

    def tick(self, seconds: float = INTERVAL_S) -> None:
        """Let time pass, and the bridge publish its status."""
        self.now += seconds
        self._ticked.set()
        self.settle_down()

    def outage(self, reason: str = "no answer") -> None:
        """Let nothing be stored."""
        self.storage.exists = False
        self.storage.creation = waiting(reason)

    def hold(self) -> None:
        """Let no write end."""
        self.storage.hold.clear()

    def repair(self, *, broken: bool = True) -> None:
        """Let the storage work; without `broken`, except for readings that cannot be written."""
        self.storage.repaired |= broken
        self.storage.creation = Result(Outcome.STORED)
        self.storage.hold.set()
        self.settle_down()

    @property
    def stored(self) -> set[int]:
        records = [record for record in self.storage.stored if record.startswith("123/")]
        return {int(record.rsplit(maxsplit=1)[1]) for record in records}

    def status(self) -> Status:
        """Return the last status that the bridge published."""
        return msgspec.json.decode(self.broker.retained[STATUS], type=Status)

    def receipts(self) -> list[tuple[str, Receipt]]:
        """Return the receipts that were published, each with its outbox."""
        return [
            (topic.removeprefix(topics.RECEIPTS), msgspec.json.decode(payload, type=Receipt))
            for topic, payload in self.published
            if topic.startswith(topics.RECEIPTS)
        ]

    def _on_publish(self, topic: str, payload: bytes) -> None:
        """Check that a receipt names what was stored or rejected of its outbox and run."""
        self.published.append((topic, payload))
        if not topic.startswith(topics.RECEIPTS):
            return
        ((outbox, receipt),) = self.receipts()[-1:]
        stored = {seq for first, last in receipt.stored for seq in range(first, last + 1)}
        rejected = {rejection.seq for rejection in receipt.rejected}
        assert stored <= self.stored
        assert {self.sent[seq - 1].content for seq in rejected} <= {"poison"}
        detail = faulty_storage.REJECTED.detail
        assert all(detail.startswith(rejection.reason) for rejection in receipt.rejected)
        origins = {self.sent[seq - 1].origin for seq in stored | rejected}
        assert origins == {(outbox, receipt.run)}
        self.named |= stored | rejected

    def _on_received(self, topic: str, payload: bytes) -> None:
        if topic.startswith(topics.REJECTED):
            content = json.loads(payload)["payload"].encode()
            self.buried |= {sent.number for sent in self.sent if sent.payload == content}
        elif topic.startswith(topics.DEVICES):
            self.forwarded |= {sent.number for sent in self.sent if sent.payload == payload}

    def _check_ack(self, packet: Packet) -> None:
        """Check that the outcome of what is acknowledged is known to whom it concerns."""
        copies = [other for other in self.broker.session if other.payload == packet.payload]
        for sent in self.sent:
            if sent.payload != packet.payload or len(copies) > 1:
                continue  # a status, or the reading waits for another copy of it
            if sent.content == UNREADABLE:
                self._check_explained(sent)
            elif not sent.origin:
                assert sent.number in self.forwarded, "acknowledged before it was forwarded"
            else:
                self._check_settled(sent)

    def _check_settled(self, sent: Sent) -> None:
        left_out = self.broker.unacknowledged >= self._max_unacknowledged
        assert sent.number in self.named or left_out, "acknowledged without a receipt"
        if sent.content == "poison":
            self._check_explained(sent)
        else:
            assert sent.number in self.stored, "acknowledged before it was stored"

    def _check_explained(self, sent: Sent) -> None:
        if sent.number not in self.buried:
            self._unexplained += 1
            dropped = self.bridge._letters.dropped  # noqa: SLF001  no status tells it yet
            assert self._unexplained <= dropped, "acknowledged before its dead letter"
