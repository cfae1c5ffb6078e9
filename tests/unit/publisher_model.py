"""A publisher on a real outbox, with a broker and a bridge that lose messages on demand."""

import asyncio
import json
from collections import deque
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace

import msgspec
import pytest

from collector.outbox.elsewhere import Elsewhere
from collector.outbox.outbox import Outbox
from collector.outbox.row import Draft
from collector.publishing.publisher import Publisher
from telemetry.mqtt import NotConnected
from telemetry.receipt import Receipt, receipts
from telemetry.status import Status
from tests.unit.outbox_model import MEMORY

# The product's limits, small enough to be reached.
LIMITS = {
    "MAX_UNACKNOWLEDGED": 6,
    "MAX_IN_FLIGHT": 10,
    "MAX_OLD_IN_FLIGHT": 4,
    "MAX_FRESH": 3,
    "MIN_READ_ROWS": 2,
}


class PublisherRig:
    """Collector, broker and bridge; every method runs the event loop until it is idle."""

    kind: type[Publisher] = Publisher

    def __init__(self) -> None:
        self._directory = TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None)
        self._patch = pytest.MonkeyPatch()
        for name, size in LIMITS.items():
            self._patch.setattr(f"collector.publishing.publisher.{name}", size)
        self.now = 1000.0
        clock = SimpleNamespace(monotonic=lambda: self.now)
        for module in ("bridge_state", "patience"):
            self._patch.setattr(f"collector.publishing.{module}.time", clock)
        self._loop = asyncio.new_event_loop()
        self.up = False
        self.sent: list[tuple[str, int, bool]] = []  # root, number, retain
        self._mids = 0
        self._points: list[tuple[str, int]] = []  # of the readings; number 1 first
        self._runs: list[str] = []  # in which they were accepted
        self.held: dict[tuple[str, int], int] = {}  # what InfluxDB holds: the number by point
        self.judged: dict[tuple[str, int], bool] = {}  # whether InfluxDB takes a point
        self._unacknowledged: deque[tuple[int, int]] = deque()  # message id, number
        self._queue: deque[int] = deque()  # sequence numbers queued for the bridge
        self._receipts: list[Receipt] = []
        self._start()

    def _start(self) -> None:
        async def start() -> None:
            path = Path(self._directory.name, "outbox.db")
            self.outbox = Outbox(path, max_bytes=1 << 30, keep_s=3600)
            self.publisher = self.kind(self.outbox, self._publish, Elsewhere(path, path))

        self._loop.run_until_complete(start())

    def close(self) -> None:
        self.outbox.close()
        self._loop.close()
        self._patch.undo()
        self._directory.cleanup()

    def _publish(self, topic: str, payload: bytes, retain: bool) -> int:
        """Accept a message as the MQTT client does; check the limits and the order."""
        if not self.up:
            raise NotConnected
        publisher, in_flight = self.publisher, self.publisher.in_flight
        root, _, _ = topic.partition("/")
        number = int(json.loads(payload)["id"].partition(":")[2])
        is_correction = bool(self.sent) and self._corrects(number, self.sent[-1][1])
        assert number <= self.outbox.last, "sent before it was committed"
        assert len(self._unacknowledged) < LIMITS["MAX_UNACKNOWLEDGED"]
        if publisher.storing:
            assert len(in_flight) < LIMITS["MAX_IN_FLIGHT"]
        if root == "replay":
            assert publisher.storing or is_correction
            assert len(in_flight) < LIMITS["MAX_OLD_IN_FLIGHT"]
            assert not publisher.fresh, "fresh readings go first"
            assert not retain
            assert list(self.outbox.settlement.unsettled(number, number))
        self._mids += 1
        self.sent.append((root, number, retain))
        self._unacknowledged.append((self._mids, number))
        self._queue.append(number)
        return self._mids

    def _corrects(self, number: int, other: int) -> bool:
        return number > other and self._points[number - 1] == self._points[other - 1]

    def settle_down(self) -> None:
        async def turns() -> None:
            for _ in range(60):
                await asyncio.sleep(0)

        self._loop.run_until_complete(turns())

    def append(self, *times: int, series: str = "1/t") -> None:
        """Accept readings with these timestamps in one request."""

        async def append() -> None:
            self._points += [(series, ns) for ns in times]
            self._runs += [self.outbox.run] * len(times)
            await self.outbox.append([Draft(series, ns, b'{"value":1}') for ns in times])

        self._loop.run_until_complete(append())
        self.settle_down()

    def connect(self) -> None:
        """Connect to the broker; the MQTT client has forgotten what was not acknowledged."""
        if not self.up:
            self.up = True
            self.publisher.on_connected()
            self.settle_down()

    def disconnect(self) -> None:
        if self.up:
            self.up = False
            self._unacknowledged.clear()
            self.publisher.on_disconnected()
            self.settle_down()

    def puback(self, count: int = 100) -> None:
        """Let the broker acknowledge the first of what was sent."""
        for _ in range(min(count, len(self._unacknowledged)) if self.up else 0):
            mid, _number = self._unacknowledged.popleft()
            self.publisher.on_puback(mid)
        self.settle_down()

    def store(self, count: int = 100, reject: int = 0) -> None:
        """Let the bridge store the next queued readings, and reject the first few of them.

        InfluxDB judges by series and timestamp: a correction has the answer that its point had.
        """
        taken = [self._queue.popleft() for _ in range(min(count, len(self._queue)))]
        stored = set()
        for place, number in enumerate(taken):
            point = self._points[number - 1]
            if self.judged.setdefault(point, place >= reject):
                self.held[point] = number
                stored.add(number)
        if self.up and taken:
            for run in dict.fromkeys(self._runs):
                own = [number for number in taken if self._runs[number - 1] == run]
                rejected = [(number, "too old") for number in own if number not in stored]
                good = [number for number in own if number in stored]
                for message in receipts(good, rejected, run):
                    receipt = msgspec.json.decode(message, type=Receipt)
                    self._receipts.append(receipt)
                    self.publisher.on_receipt(receipt)
            self.settle_down()

    def repeat_receipt(self, which: int) -> None:
        """Deliver an old receipt once more."""
        if self._receipts and self.up:
            self.publisher.on_receipt(self._receipts[which % len(self._receipts)])
            self.settle_down()

    def lose(self) -> None:
        """Lose what is queued for the bridge."""
        self._queue.clear()

    def say(self, state: str, bridge: str = "bridge") -> None:
        """Let a bridge publish its state."""
        if self.up:
            self.publisher.on_status(bridge, Status(state))
            self.settle_down()

    def forget_points(self) -> None:
        """Let InfluxDB lose everything, and the auditor find that."""
        self.held.clear()
        # One of these that is repeated later settles what is lost, until the auditor reads it back.
        self._receipts.clear()
        for first, last in list(self.outbox.settlement.settled.within(1, self.outbox.last)):
            rejections = self.outbox.settlement.rejections
            for number in range(first, last + 1):
                if number not in rejections:
                    self.publisher.heal([(number, number)])
        self.settle_down()

    def tick(self, seconds: float = 1) -> None:
        self.now += seconds
        self.publisher.tick()
        self.settle_down()

    def restart(self) -> None:
        """Restart the collector: what the MQTT client held is gone."""
        self.outbox.close()
        self.up = False
        self._unacknowledged.clear()
        self._start()
        self.settle_down()

    def heal(self, rounds: int = 300) -> None:
        """Let everything work from now on; AssertionError unless that settles everything."""
        self.connect()
        for _ in range(rounds):
            if not self.outbox.pending:
                return
            self.say("storing")
            self.puback()
            self.store()
            self.tick()
        raise AssertionError(f"{self.outbox.pending} readings are stuck")

    def check_points(self) -> None:
        """Check that InfluxDB holds the last accepted reading of each point, unless rejected."""
        rejected = set(self.outbox.settlement.rejections)
        last = {
            point: number for number, point in enumerate(self._points, 1) if number not in rejected
        }
        assert {point: self.held.get(point) for point in last} == last

    def check_places(self) -> None:
        """Check that each pending reading is in exactly one place."""
        publisher, in_flight = self.publisher, self.publisher.in_flight
        fresh = [row.seq for row in publisher.fresh]
        sent = (in_flight, in_flight.uncertain, in_flight.lost)
        places = (publisher.unsent, publisher.overtaken, *sent)
        for first, last in self.outbox.settlement.unsettled(1, self.outbox.last):
            for number in range(first, last + 1):
                found = fresh.count(number) + sum(number in place for place in places)
                assert found == 1, f"{number} is in {found} places"
