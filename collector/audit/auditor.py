"""In the background: no reading leaves the outbox before it was read back from InfluxDB."""

import asyncio
import logging
import sqlite3
import time
from collections.abc import Callable, Iterable, Sequence

from collector.audit.attempts import Attempts
from collector.audit.examiner import Examiner, Missing
from collector.audit.nodes import Nodes
from collector.audit.patrol import Patrol
from collector.audit.unreachable import InfluxUnreachable
from collector.outbox.elsewhere import Elsewhere
from collector.outbox.group_commit import OutboxBusy, OutboxFull
from collector.outbox.outbox import Outbox
from collector.outbox.row import Row
from telemetry.ranges import Ranges, collapse
from telemetry.settings import InfluxAccess
from telemetry.thread import Thread

logger = logging.getLogger(__name__)

# Reading back costs InfluxDB as much for each series as for many points of it, so it waits until
# there are many, but not long.
_CHUNK_ROWS = 20_000
_ENOUGH_ROWS = 5_000
_LONGEST_WAIT_S = 3.0
# Above this rate of readings accepted and settled, per second, the auditor works for this part of
# the time only, unless the outbox is more than half full. Each reading counts twice.
_BUSY_RATE = 1000
_BUSY_SHARE = 0.02
_MEASURED_S = 1.0
# Work may have been waiting for an InfluxDB that did not answer.
_LONGEST_REST_S = 20.0
_WATCH_S = 3.0
_PATROL_ROWS = 100
# After a loss everything is read back again, until nothing is missing: InfluxDB may go on losing,
# for instance what was written while it dropped a series.
_DOUBT_S = 10.0
# So many are reopened in one commit, which the event loop waits for.
_HEALED_AT_ONCE = 500


class Auditor:
    """Reads stored readings back once, and all of them again when InfluxDB may have lost some.

    That is after InfluxDB was restarted or could not be reached (of several nodes one; then all are
    read in turn), and when the last reading of a
    series has gone that was there before: a series or the database was dropped, or an older backup
    restored. What is missing goes to `heal`, in ranges, to be replayed. A reading that is missing
    after two replays is given up until InfluxDB's next restart or outage, but not taken for
    verified: it is in another database, or somebody else writes another value. Given up at once is
    one whose point has a value that cannot be an earlier one of an outbox of the directory: that
    may be a later correction, made through a collector elsewhere. A correction in another outbox of
    the directory is known, and the reading that it replaced is not missing.
    """

    def __init__(
        self,
        outbox: Outbox,
        influx: InfluxAccess,
        heal: Callable[[Sequence[tuple[int, int]]], None],
        elsewhere: Elsewhere,
    ) -> None:
        self._outbox = outbox
        self._heal = heal
        self._examiner = Examiner(outbox.path, influx, elsewhere)
        self._thread = Thread("auditor")
        self._patrol = Patrol()
        self._refilled = Attempts()  # in a row
        self._corrected = Attempts()  # ever
        self._nodes = Nodes(influx["addresses"])
        self._is_reachable = True
        self._watched_at = self._round_ended_at = 0.0
        self._doubted_at: float | None = None
        self._round_to = 0  # the last number of this round; 0: none is under way
        self._measured = (0.0, 0)  # when, and how many had been accepted and settled
        self._is_busy = False

        self.doubts = 0
        """How often everything was read back again."""

    def doubt(self) -> None:
        """Read everything back again soon: InfluxDB may have been given something old."""
        self._doubted_at = self._doubted_at or time.monotonic()

    async def run(self) -> None:
        """Read back for ever; afterwards it is of no more use."""
        try:
            while True:
                began = time.monotonic()
                try:
                    await self._work(began)
                except (InfluxUnreachable, OutboxBusy, OutboxFull, sqlite3.Error) as error:
                    self._lose_sight(error)
                await self._rest(time.monotonic() - began)
        finally:
            self._thread.start(self._examiner.close)
            self._thread.end()

    async def _work(self, now: float) -> None:
        if now - self._watched_at >= _WATCH_S:
            await self._watch()
            self._watched_at = now
        waiting = self._outbox.verification.waiting
        is_due = waiting >= _ENOUGH_ROWS or now - self._round_ended_at >= _LONGEST_WAIT_S
        if not self._round_to and waiting and is_due:
            self._round_to = self._outbox.last
        if self._round_to:
            await self._examine()

    async def _rest(self, worked_s: float) -> None:
        """Rest as long as the load and the work of `worked_s` seconds ask for, and not too long."""
        began = time.monotonic()
        await asyncio.sleep(0.01 if self._round_to and self._is_reachable else 1.0)
        while (rest_s := self._rest_s(worked_s) - (time.monotonic() - began)) > 0:  # noqa: ASYNC110
            await asyncio.sleep(min(rest_s, _MEASURED_S))  # the load may end meanwhile

    def _rest_s(self, worked_s: float) -> float:
        now, (then, count) = time.monotonic(), self._measured
        if now - then >= _MEASURED_S:
            done = self._outbox.last + len(self._outbox.settlement.settled)
            self._is_busy = (done - count) / (now - then) > _BUSY_RATE
            self._measured = (now, done)
        share = _BUSY_SHARE if self._is_busy and self._outbox.space.is_roomy else 0.5
        return min(worked_s / share - worked_s, _LONGEST_REST_S)

    async def _examine(self) -> None:
        """Compare the first readings that are stored and not verified."""
        if (span := self._outbox.verification.next(self._round_to)) is None:
            self._round_to, self._round_ended_at = 0, time.monotonic()
            return
        first, last = span
        examined = await self._thread.run(lambda: self._examiner.examine(first, last, _CHUNK_ROWS))
        missing = examined.missing.seqs
        for a, b in Ranges((seq, seq) for seq in missing).gaps(first, examined.last):
            self._outbox.verify(a, b)
        lost = self._attempted(examined.missing)
        for start in range(0, len(lost), _HEALED_AT_ONCE):
            self._heal(collapse(lost[start : start + _HEALED_AT_ONCE]))
            await asyncio.sleep(0)
        self._give_up(set(missing) - set(lost))
        self._refilled.forget_between(first, examined.last, missing)
        self._patrol.add(_without(examined.rows, missing))
        if lost:
            self._doubted_at = time.monotonic()
            logger.warning("InfluxDB has lost %d readings; they are replayed", len(lost))

    def _attempted(self, missing: Missing) -> list[int]:
        """Return which of the missing readings are to be replayed, and count that."""
        found = []
        for seqs, attempts in (
            (missing.absent, self._refilled),
            (missing.differing, self._corrected),
        ):
            replayed = [seq for seq in self._stored(seqs) if not attempts.are_used_up(seq)]
            for seq in replayed:
                attempts.add(seq)
            found += replayed
        return sorted(found)

    def _give_up(self, missing: Iterable[int]) -> None:
        if hopeless := self._stored(missing):
            text = "%d readings are missing and not replayed, number %d among them: see `audit`"
            logger.warning(text, len(hopeless), hopeless[0])
            self._outbox.verification.give_up(hopeless)

    def _stored(self, seqs: Iterable[int]) -> list[int]:
        """Return those to which nothing else has happened meanwhile."""
        return [seq for seq in sorted(seqs) if self._outbox.settlement.is_stored(seq)]

    async def _watch(self) -> None:
        """Read everything back again if InfluxDB may have lost some."""
        started = await self._thread.run(self._examiner.started)
        happened = self._nodes.note(started)
        if happened or not self._is_reachable:
            self._nodes.suspect()
            self._begin_turn(happened or "can be read again")
        elif self._is_turn_over():
            self._begin_turn("has another node")
        elif self._is_doubt_due():
            self._doubted_at = None
            self._begin_again("may have been away")
        self._is_reachable = True
        rows = self._patrol.take(_PATROL_ROWS)
        missing = await self._thread.run(lambda: self._examiner.missing(rows))
        self._patrol.put_back(_without(rows, missing.seqs))
        self._give_up(missing.foreign)
        if any(self._is_worth_it(seq) for seq in (*missing.absent, *missing.differing)):
            self._begin_again("lacks readings that it had")

    def _is_turn_over(self) -> bool:
        """Return whether a node waits for its turn, and the one before has been read."""
        nodes = self._nodes
        return nodes.are_left and not self._outbox.verification.next(nodes.turn_to)

    def _begin_turn(self, why: str) -> None:
        """Read everything back from the next node, or from another one while it is away."""
        self._examiner.ask_first(self._nodes.take(self._outbox.last))
        self._refilled, self._corrected = Attempts(), Attempts()
        self._begin_again(why)

    def _is_doubt_due(self) -> bool:
        # Not in a round: else anybody who raises doubts could keep it from its end.
        since = self._doubted_at
        return not self._round_to and since is not None and time.monotonic() - since > _DOUBT_S

    def _is_worth_it(self, seq: int) -> bool:
        """Return whether a missing reading is still here, and may be replayed."""
        used_up = self._refilled.are_used_up(seq) or self._corrected.are_used_up(seq)
        return not used_up and bool(self._outbox.read(seq, seq, 1))

    def _begin_again(self, why: str) -> None:
        self.doubts += 1
        self._outbox.verification.begin_again()
        self._patrol.clear()
        count = self._outbox.verification.waiting
        logger.info("InfluxDB %s: %d readings are read back", why, count)

    def _lose_sight(self, error: Exception) -> None:
        if self._is_reachable:
            logger.warning("readings cannot be read back: %s", error)
        self._is_reachable = False


def _without(rows: Sequence[Row], missing: Sequence[int]) -> list[Row]:
    gone = set(missing)
    return [row for row in rows if row.seq not in gone]
