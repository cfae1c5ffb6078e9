"""From the outbox to the broker: new readings at once, the rest oldest first, until receipted."""

import asyncio
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence

import msgspec

from collector.outbox import Outbox, Row
from telemetry import topics
from telemetry.mqtt import NotConnected
from telemetry.ranges import Ranges
from telemetry.receipt import Receipt
from telemetry.status import Status

# Readings handed to the broker and not yet taken by it (its PUBACK).
UNACKNOWLEDGED = 1000
# Readings that may be on their way to the bridge, without a receipt: enough to keep it busy, few
# enough that a new reading does not wait long behind them. Old readings leave room for new ones.
ON_THE_WAY = 20_000
OLD_ON_THE_WAY = 5_000
# New readings held in memory beside the outbox, so that they need not be read back.
FRESH = 50_000
# Old readings are read from the outbox when there is room for this many.
_READ_ROWS = 200
# The bridge repeats its status every 2 s: after this long without one it is taken for gone.
_STATUS_VALID_S = 6.0
# Without any receipt for this long, what is on the way counts as lost; doubled each time in vain.
_PATIENCE_S = 5.0
_PATIENCE_MAX_S = 60.0

_receipt = msgspec.json.Decoder(Receipt)
_status = msgspec.json.Decoder(Status)


class Publisher:
    """Sends what is pending and applies the receipts; each pending reading is in one place.

    - `_fresh`: just committed, in memory, goes out first;
    - `_unsent`: the broker never took it: goes live too, in order, as soon as there is room;
    - `_on_the_way`: sent while the bridge was storing, in the order of sending. The broker keeps
      that order for the bridge, so a receipt shows that what was sent before it and has none
      is lost;
    - `_unclear`: sent before a restart or while the bridge was not storing: its receipt may come,
      or the broker's queue for the bridge was full. The next receipt for something sent later
      tells, or silence while the bridge stores;
    - `_lost`: to be sent again on replay/, oldest first, only while the bridge stores.
    """

    def __init__(self, outbox: Outbox, publish: Callable[[str, bytes, bool], int]) -> None:
        self._outbox = outbox
        self._publish = publish
        self._loop = asyncio.get_running_loop()
        self.connected = False
        self.storing = False
        self.published = 0
        self.replayed = 0
        self._fresh: deque[Row] = deque()
        self._unsent = Ranges(outbox.settled.gaps(1, outbox.last))
        self._unclear = Ranges()
        for first, last in list(self._unsent):
            for a, b in outbox.published.within(first, last):
                self._unsent.remove(a, b)
                self._unclear.add(a, b)
        self._lost = Ranges()
        self._on_the_way: OrderedDict[int, int] = OrderedDict()  # sequence number: nth sent
        self._unacknowledged: dict[int, int] = {}  # MQTT message id: sequence number
        self._status_at = 0.0
        self._silent_since = 0.0
        self._patience_s = _PATIENCE_S
        self._watchers: list[tuple[int, int, asyncio.Future[None]]] = []
        self._pump_scheduled = False
        outbox.on_committed.append(self.offer)

    @property
    def pending(self) -> int:
        """How many readings are to be sent or have no receipt, counted where they are."""
        sent = len(self._on_the_way) + len(self._unclear)
        return len(self._fresh) + len(self._unsent) + sent + len(self._lost)

    def offer(self, rows: Sequence[Row]) -> None:
        """Take what has just been committed."""
        if self.connected and len(self._fresh) < FRESH:
            self._fresh.extend(rows)
            self._schedule_pump()
        else:
            self._unsent.add(rows[0].seq, rows[-1].seq)

    def on_connected(self) -> None:
        """Send what has gathered: the broker can be reached."""
        self.connected = True
        self._silent_since = time.monotonic()
        self._schedule_pump()

    def on_disconnected(self) -> None:
        """Let what is committed from now on wait in the outbox: the broker cannot be reached.

        What was handed to paho and not acknowledged, paho sends again itself.
        """
        self.connected = False
        for row in self._fresh:
            self._unsent.add(row.seq, row.seq)
        self._fresh.clear()

    def on_puback(self, mid: int) -> None:
        """Note that the broker has taken a reading; that is no receipt."""
        seq = self._unacknowledged.pop(mid, None)
        if seq is not None:
            self._outbox.mark_published(seq)
            self._schedule_pump()

    def on_receipt(self, payload: bytes) -> None:
        """Apply what the bridge says InfluxDB has stored or refused."""
        receipt = _receipt.decode(payload)
        self._outbox.settle(receipt)
        latest = 0
        for first, last in (*receipt.stored, *((r.seq, r.seq) for r in receipt.rejected)):
            for ranges in (self._unsent, self._unclear, self._lost):
                ranges.remove(first, last)
            for seq in range(first, min(last, self._outbox.last) + 1):
                latest = max(latest, self._on_the_way.pop(seq, 0))
        if latest:
            self._give_up_until(latest)
        self._silent_since = time.monotonic()
        self._patience_s = _PATIENCE_S
        self._tell_watchers()
        self._schedule_pump()

    def on_status(self, payload: bytes, *, retained: bool) -> None:
        """Note how the bridge is; what the broker had retained may be from long ago."""
        if retained:
            return
        self._status_at = time.monotonic()
        self._set_storing(storing=_status.decode(payload).state == "storing")

    def tick(self) -> None:
        """Once a second: notice silence."""
        now = time.monotonic()
        if now - self._status_at > _STATUS_VALID_S:
            self._set_storing(storing=False)
        if self.storing and now - self._silent_since > self._patience_s:
            if self._on_the_way or self._unclear:
                self._patience_s = min(2 * self._patience_s, _PATIENCE_MAX_S)
                self._give_up_until(self.published)
            self._silent_since = now
        self._schedule_pump()

    async def wait_settled(self, first: int, last: int) -> None:
        """Return when first..last all have their receipt."""
        done: asyncio.Future[None] = self._loop.create_future()
        watcher = (first, last, done)
        self._watchers.append(watcher)
        self._tell_watchers()
        try:
            await done
        finally:
            if watcher in self._watchers:
                self._watchers.remove(watcher)

    def _tell_watchers(self) -> None:
        for first, last, done in self._watchers:
            if not done.done() and next(self._outbox.settled.gaps(first, last), None) is None:
                done.set_result(None)

    def _set_storing(self, *, storing: bool) -> None:
        if storing == self.storing:
            return
        self.storing = storing
        self._silent_since = time.monotonic()
        self._patience_s = _PATIENCE_S
        if not storing:
            for seq in self._on_the_way:
                self._unclear.add(seq, seq)
            self._on_the_way.clear()
        self._schedule_pump()

    def _give_up_until(self, latest: int) -> None:
        """Count as lost what was sent before the `latest`th and has no receipt."""
        for first, last in self._unclear:
            self._lost.add(first, last)
        self._unclear.clear()
        on_the_way = self._on_the_way
        while on_the_way:
            seq, nth = on_the_way.popitem(last=False)
            if nth > latest:
                on_the_way[seq] = nth
                on_the_way.move_to_end(seq, last=False)
                return
            self._lost.add(seq, seq)

    def _schedule_pump(self) -> None:
        if not self._pump_scheduled:
            self._pump_scheduled = True
            self._loop.call_soon(self._pump)

    def _pump(self) -> None:
        self._pump_scheduled = False
        fresh, unacknowledged, on_the_way = self._fresh, self._unacknowledged, self._on_the_way
        while (
            fresh
            and self.connected
            and len(unacknowledged) < UNACKNOWLEDGED
            and (not self.storing or len(on_the_way) < ON_THE_WAY)
        ):
            self._send(fresh.popleft(), topics.READINGS)
        room = UNACKNOWLEDGED - len(unacknowledged)
        if self.storing:
            room = min(room, OLD_ON_THE_WAY - len(on_the_way))
        if self.connected and room >= _READ_ROWS:
            if self._unsent:
                self._send_old(self._unsent, topics.READINGS, room)
            elif self._lost and self.storing:
                self._send_old(self._lost, topics.REPLAY, room)

    def _send_old(self, source: Ranges, root: str, room: int) -> None:
        first, last = next(iter(source))
        rows = self._outbox.read(first, last, room)
        source.remove(first, rows[-1].seq if rows else last)
        for row in rows:
            self._send(row, root)
        if root == topics.REPLAY:
            self.replayed += len(rows)
        self._schedule_pump()

    def _send(self, row: Row, root: str) -> None:
        seq, _, ns, topic, payload = row
        retain = root == topics.READINGS and self._outbox.is_newest(topic, ns)
        try:
            mid = self._publish(root + topic, payload, retain)
        except NotConnected:
            (self._unsent if root == topics.READINGS else self._lost).add(seq, seq)
            return
        self.published += 1
        self._unacknowledged[mid] = seq
        if self.storing:
            self._on_the_way[seq] = self.published
        else:
            self._unclear.add(seq, seq)
