"""From the outbox to the broker: new readings at once, old ones in order, until settled."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import chain

from collector.outbox.elsewhere import Elsewhere
from collector.outbox.group_commit import OutboxBusy, OutboxFull
from collector.outbox.outbox import Outbox
from collector.outbox.row import Row
from collector.outbox.schema import OutboxUnusable
from collector.publishing.bridge_state import BridgeState
from collector.publishing.in_flight import MAX_IN_FLIGHT, MAX_OLD_IN_FLIGHT, InFlight
from collector.publishing.look import Look, Overtaken
from collector.publishing.order import steps
from collector.publishing.patience import Patience
from telemetry import topics
from telemetry.mqtt import NotConnected
from telemetry.ranges import Ranges
from telemetry.receipt import Receipt, Rejection
from telemetry.status import Status

# Readings sent to the broker that it has not acknowledged yet.
MAX_UNACKNOWLEDGED = 1000
# New readings held in memory too, so that they need not be read back from the outbox.
MAX_FRESH = 50_000
# Old readings are read from the outbox when there is room for this many.
MIN_READ_ROWS = 200
Publish = Callable[[str, bytes, bool], int]


class Publisher:
    """Sends what is pending and applies the receipts.

    Each pending reading is in exactly one place:

    - `fresh`: just committed, held in memory; goes out first;
    - `unsent`: not sent, or not acknowledged by the broker before a restart; goes out in order;
    - `in_flight`: sent and not settled: in flight, uncertain or lost (see InFlight);
    - `overtaken`: old, and its point has a later value in another outbox, which is not stored yet.
    """

    def __init__(self, outbox: Outbox, publish: Publish, elsewhere: Elsewhere) -> None:
        self._outbox = outbox
        self._publish = publish
        self._loop = asyncio.get_running_loop()
        self.connected = False
        self.replayed = 0
        self.fresh: deque[Row] = deque()
        self.unsent = Ranges(outbox.settlement.unsettled(1, outbox.last))
        self.in_flight = InFlight(Ranges(s for old in self.unsent for s in outbox.published(*old)))
        for first, last in self.in_flight.uncertain:
            self.unsent.remove(first, last)
        self.overtaken = Ranges()
        self.look = Look(outbox.path, elsewhere, self._pass_over)
        self._bridge, self._patience = BridgeState(), Patience()
        self._unacknowledged: dict[int, int] = {}  # MQTT packet id: sequence number
        self._pump_is_scheduled = False
        outbox.add_listener(self.on_committed)

    @property
    def storing(self) -> bool:
        """Whether the bridge is storing."""
        return self._bridge.storing

    @property
    def pending(self) -> int:
        """How many readings are to be sent or have no receipt, counted where they are."""
        return len(self.fresh) + len(self.unsent) + len(self.overtaken) + self.in_flight.pending

    def on_committed(self, rows: Sequence[Row]) -> None:
        """Take over what has just been committed."""
        if self.connected and len(self.fresh) < MAX_FRESH:
            self.fresh.extend(rows)
            self._schedule_pump()
        else:
            self.unsent.add(rows[0].seq, rows[-1].seq)

    def on_connected(self) -> None:
        """Begin to send."""
        self.connected = True
        self._take_back()
        self.look.begin(Ranges(chain(self.unsent, self.in_flight.uncertain, self.in_flight.lost)))
        self._patience.restart()
        self._schedule_pump()

    def on_disconnected(self) -> None:
        """Leave everything to the outbox, also what the broker has not acknowledged."""
        self.connected = False
        for row in self.fresh:
            self.unsent.add(row.seq, row.seq)
        self.fresh.clear()
        unacknowledged, self._unacknowledged = self._unacknowledged.values(), {}
        for seq in unacknowledged:
            if seq not in self._outbox.settlement.settled and seq not in self.overtaken:
                self.in_flight.drop(seq, seq)
                was_published = any(self._outbox.published(seq, seq))
                (self.in_flight.lost if was_published else self.unsent).add(seq, seq)

    def on_puback(self, mid: int) -> None:
        """Note that the broker has a reading; that is not a receipt."""
        if (seq := self._unacknowledged.pop(mid, None)) is not None:
            self._outbox.mark_published(seq)
            self._schedule_pump()

    def on_refused(self, mid: int, reason: str) -> None:
        """Reject a reading that the broker cannot carry; the outbox keeps it, for a replay."""
        seq = self._unacknowledged.pop(mid, None)
        if seq is not None and seq not in self._outbox.settlement.settled:
            self.in_flight.drop(seq, seq)
            self.overtaken.remove(seq, seq)
            self._outbox.settlement.apply(Receipt(rejected=[Rejection(seq, reason)]))
            self._schedule_pump()

    def on_receipt(self, receipt: Receipt) -> None:
        """Settle what InfluxDB has stored or rejected."""
        own = self._outbox.settle(receipt)
        for first, last in own.ranges:
            self.unsent.remove(first, last)
            self.overtaken.remove(first, last)
        self.in_flight.settle(own)
        if own.ranges:
            self._patience.reset()
        self._schedule_pump()

    def on_status(self, bridge: str, status: Status) -> bool:
        """Note the state of a bridge; return whether InfluxDB may have an earlier value of a point.

        That is when it begins to store what has waited for it, and when it ceases to: it may have
        written a reading, and not the correction that another bridge had stored before.
        """
        stored_before = self._bridge.is_storing(bridge)
        if self._bridge.on_status(bridge, status):
            self._on_bridge_changed()
        return self.storing and self._bridge.is_storing(bridge) != stored_before

    def heal(self, ranges: Sequence[tuple[int, int]]) -> None:
        """Replay stored readings, which InfluxDB has lost; raises OutboxBusy or OutboxUnusable."""
        for first, last in self._outbox.reopening.heal(ranges):
            self.in_flight.lost.add(first, last)
        self._schedule_pump()

    def tick(self) -> None:
        """Notice silence; to be called once per second."""
        if self._bridge.tick():
            self._on_bridge_changed()
        if self.storing and self._patience.is_exhausted:
            if self.in_flight.awaits_receipts:
                self._patience.extend()
                self.in_flight.lose_all()
            else:
                self._patience.restart()
        if self.overtaken and self.connected and self.storing and self.look.is_rested:
            self.look.begin(self._take_back())
        self._schedule_pump()

    def _on_bridge_changed(self) -> None:
        self._patience.reset()
        if not self.storing:
            self.in_flight.make_uncertain()
        self._schedule_pump()

    def _schedule_pump(self) -> None:
        if not self._pump_is_scheduled:
            self._pump_is_scheduled = True
            self._loop.call_soon(self._pump)

    def _pump(self) -> None:
        self._pump_is_scheduled = False
        with suppress(OutboxBusy, OutboxFull, OutboxUnusable):  # a tick tries again, or all ends
            self._send_what_may_go()
            self.in_flight.time_last()

    def _send_what_may_go(self) -> None:
        fresh, unacknowledged, in_flight = self.fresh, self._unacknowledged, self.in_flight
        storing = self.storing
        while (
            fresh
            and self.connected
            and len(unacknowledged) < MAX_UNACKNOWLEDGED
            and (not storing or len(in_flight) < MAX_IN_FLIGHT)
        ):
            self._send(fresh.popleft(), topics.READINGS)
        room = MAX_UNACKNOWLEDGED - len(unacknowledged)
        if storing:
            room = min(room, MAX_OLD_IN_FLIGHT - len(in_flight))
        if self.connected and room >= MIN_READ_ROWS:
            if self.unsent:
                self._send_old(self.unsent, topics.READINGS, room)
            elif in_flight.lost and storing:
                self.replayed += self._send_old(in_flight.lost, topics.REPLAY, room)

    def _send_old(self, source: Ranges, root: str, room: int) -> int:
        first, last = next(iter(source))
        if (last := self.look.until(last)) < first:
            return 0
        rows = self._outbox.read(first, last, room)
        ordered = steps(self._outbox, rows, room, self._comes_later)
        source.remove(first, ordered[-1].row.seq if ordered else last)
        for row, last_of_point in ordered:
            self._send_in_order(row, last_of_point, root)
        self._schedule_pump()
        return len(ordered)

    def _comes_later(self, seq: int) -> bool:
        is_fresh = bool(self.fresh) and seq >= self.fresh[0].seq
        return is_fresh or seq in self.unsent or seq in self.overtaken

    def _send_in_order(self, row: Row, last_of_point: Row | None, root: str) -> None:
        """Send a row such that InfluxDB ends with the last accepted reading of its point."""
        if last_of_point is None:
            self._outbox.settlement.apply(Receipt([(row.seq, row.seq)]))
            return
        self._send(row, root)
        if last_of_point is not row:
            self.in_flight.drop(last_of_point.seq, last_of_point.seq)
            self._send(last_of_point, topics.REPLAY)

    def _pass_over(self, overtaken: Overtaken) -> None:
        """Do not send old readings that were corrected elsewhere: settled once that is stored."""
        left = self._outbox.settlement.unsettled
        stored, pending = ([gap for span in spans for gap in left(*span)] for spans in overtaken)
        for first, last in (*stored, *pending):
            self.unsent.remove(first, last)
            self.in_flight.drop(first, last)
        for first, last in pending:
            self.overtaken.add(first, last)
        self._outbox.settlement.apply(Receipt(stored))
        self._schedule_pump()

    def _take_back(self) -> list[tuple[int, int]]:
        """Return the overtaken ones, which are to be sent unless another look finds them again."""
        spans = list(self.overtaken)
        for first, last in spans:
            self.unsent.add(first, last)
        self.overtaken.clear()
        return spans

    def _send(self, row: Row, root: str) -> None:
        seq, _, _, series, payload = row
        is_newest = self._outbox.is_newest(row) and self.look.is_newest(row)
        try:
            mid = self._publish(root + series, payload, is_newest and root == topics.READINGS)
        except NotConnected:
            (self.unsent if root == topics.READINGS else self.in_flight.lost).add(seq, seq)
            return
        self._unacknowledged[mid] = seq
        self.in_flight.add(seq, storing=self._bridge.storing)
