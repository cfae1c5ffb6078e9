"""A publisher on a real outbox, with a broker and a bridge that lose what they are told to."""
# ruff: noqa: SLF001  where a reading is, is private

import asyncio
import json
from collections import deque
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace

import msgspec
import pytest

from collector.outbox import Accepted, Outbox
from collector.publisher import Publisher
from telemetry.mqtt import NotConnected
from telemetry.receipt import receipts
from telemetry.status import Status
from tests.unit.outbox_model import MEMORY

# The product's windows, small enough to be reached.
WINDOWS = {"UNACKNOWLEDGED": 6, "ON_THE_WAY": 10, "OLD_ON_THE_WAY": 4, "FRESH": 3, "_READ_ROWS": 2}


class Road:
    """Collector, broker and bridge; whatever is called lets the collector's loop come to rest."""

    kind: type[Publisher] = Publisher

    def __init__(self) -> None:
        self._directory = TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None)
        self._patch = pytest.MonkeyPatch()
        for name, size in WINDOWS.items():
            self._patch.setattr(f"collector.publisher.{name}", size)
        self.now = 1000.0
        clock = SimpleNamespace(monotonic=lambda: self.now)
        self._patch.setattr("collector.publisher.time", clock)
        self._loop = asyncio.new_event_loop()
        self.up = False
        self.sent: list[tuple[str, int, bool]] = []  # root, number, retain
        self._mids = 0
        self._unacknowledged: deque[tuple[int, int]] = deque()  # message id, number
        self._queue: deque[int] = deque()  # numbers on their way to the bridge
        self._told: list[bytes] = []
        self._start()

    def _start(self) -> None:
        async def start() -> None:
            path = Path(self._directory.name, "outbox.db")
            self.outbox = Outbox(path, max_bytes=1 << 30, keep_s=3600)
            self.publisher = self.kind(self.outbox, self._publish)

        self._loop.run_until_complete(start())

    def close(self) -> None:
        """Let go of everything."""
        self.outbox.close()
        self._loop.close()
        self._patch.undo()
        self._directory.cleanup()

    def _publish(self, topic: str, payload: bytes, retain: bool) -> int:
        """Take a message as MQTT does; check the windows and what goes first."""
        if not self.up:
            raise NotConnected
        publisher, way = self.publisher, self.publisher._on_the_way
        root, _, _ = topic.partition("/")
        number = int(json.loads(payload)["id"].partition(":")[2])
        assert number <= self.outbox.last, "sent before it was committed"
        assert len(self._unacknowledged) < WINDOWS["UNACKNOWLEDGED"]
        if publisher.storing:
            assert len(way) < WINDOWS["ON_THE_WAY"]
        if root == "replay":
            assert publisher.storing
            assert len(way) < WINDOWS["OLD_ON_THE_WAY"]
            assert not publisher._fresh, "live goes first"
            assert not retain
            assert number not in self.outbox.settled
        self._mids += 1
        self.sent.append((root, number, retain))
        self._unacknowledged.append((self._mids, number))
        self._queue.append(number)
        return self._mids

    def rest(self) -> None:
        """Let the loop run until nothing more happens of itself."""

        async def turns() -> None:
            for _ in range(60):
                await asyncio.sleep(0)

        self._loop.run_until_complete(turns())

    def append(self, *times: int, topic: str = "1/t") -> None:
        """Accept readings with these timestamps in one request."""

        async def append() -> None:
            await self.outbox.append([Accepted(topic, ns, b'{"value":1}') for ns in times])

        self._loop.run_until_complete(append())
        self.rest()

    def connect(self) -> None:
        """Reach the broker; paho then sends again what was not acknowledged."""
        if not self.up:
            self.up = True
            self._queue += [number for _, number in self._unacknowledged]
            self.publisher.on_connected()
            self.rest()

    def disconnect(self) -> None:
        """Lose the broker."""
        if self.up:
            self.up = False
            self.publisher.on_disconnected()
            self.rest()

    def puback(self, count: int = 100) -> None:
        """Let the broker take the first of what was sent."""
        for _ in range(min(count, len(self._unacknowledged)) if self.up else 0):
            mid, _number = self._unacknowledged.popleft()
            self.publisher.on_puback(mid)
        self.rest()

    def store(self, count: int = 100, refuse: int = 0) -> None:
        """Let the bridge store the next of what the broker has, but refuse the first few."""
        taken = [self._queue.popleft() for _ in range(min(count, len(self._queue)))]
        if self.up and taken:
            refused = [(number, "too old") for number in taken[:refuse]]
            for message in receipts(taken[refuse:], refused):
                self._told.append(message)
                self.publisher.on_receipt(message)
            self.rest()

    def tell_again(self, which: int) -> None:
        """Let an old receipt come once more."""
        if self._told and self.up:
            self.publisher.on_receipt(self._told[which % len(self._told)])
            self.rest()

    def lose(self) -> None:
        """Let broker and bridge forget what they hold."""
        self._queue.clear()

    def say(self, state: str, *, retained: bool = False) -> None:
        """Let the bridge say how it is."""
        if self.up:
            status = msgspec.json.encode(Status(state))
            self.publisher.on_status(status, retained=retained)
            self.rest()

    def tick(self, seconds: float = 1) -> None:
        """Let time pass."""
        self.now += seconds
        self.publisher.tick()
        self.rest()

    def restart(self) -> None:
        """End the collector and start it again: what paho held is gone."""
        self.outbox.close()
        self.up = False
        self._unacknowledged.clear()
        self._start()
        self.rest()

    def heal(self, rounds: int = 300) -> None:
        """Let everything work from now on; AssertionError if that does not settle everything."""
        self.connect()
        for _ in range(rounds):
            if not self.outbox.pending:
                return
            self.say("storing")
            self.puback()
            self.store()
            self.tick()
        raise AssertionError(f"{self.outbox.pending} readings are stuck")

    def check_places(self) -> None:
        """Check that each pending reading is in exactly one place."""
        p = self.publisher
        fresh = [row.seq for row in p._fresh]
        for first, last in self.outbox.settled.gaps(1, self.outbox.last):
            for number in range(first, last + 1):
                found = fresh.count(number) + (number in p._unsent) + (number in p._unclear)
                found += (number in p._lost) + (number in p._on_the_way)
                assert found == 1, f"{number} is in {found} places"
