"""The collector goes on with an earlier copy of its outbox, and numbers are given twice."""

import contextlib
import random
import sqlite3
from collections.abc import Iterator

from tests.chaos.checker import points
from tests.chaos.fault import Heal
from tests.chaos.ledger import Key, Ledger, PostOutcome, Reading
from tests.chaos.rig import Rig
from tests.stack import wait_for


class Lost:
    """What only the outbox holds that is given up: the readings acknowledged from now on."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._outcomes = {key: bytes(s.outcomes) for key, s in ledger.series.items()}
        self._acknowledged = ledger.posts[PostOutcome.ACKNOWLEDGED]

    def readings(self) -> Iterator[Reading]:
        """Yield the readings that were first acknowledged since."""
        for reading in self._ledger:
            before = self._outcomes.get(reading.series.key, b"")[reading.ordinal :][:1]
            was_acknowledged = before == bytes([PostOutcome.ACKNOWLEDGED])
            if reading.outcome is PostOutcome.ACKNOWLEDGED and not was_acknowledged:
                yield reading

    def give_up(self, stored: set[tuple[Key, int]]) -> list[Reading]:
        """Expect no more of the readings that are in no database either; return the others.

        `stored` names the points in InfluxDB, by series and timestamp.
        """
        self._ledger.life += 1
        kept = []
        for reading in list(self.readings()):
            if (reading.series.key, reading.time_ns) in stored:
                kept.append(reading)
            else:
                self._ledger.excuse(reading)
        self._ledger.excuse_posts(self._ledger.posts[PostOutcome.ACKNOWLEDGED] - self._acknowledged)
        return kept


class OutboxCopy:
    """A copy of the outbox as it is now, made beside the running collector."""

    def __init__(self, rig: Rig) -> None:
        self._rig = rig
        self._lost = rig.background.run(self._note(), timeout=30)
        self._path = rig.outbox.with_name("copy.db")
        with (
            contextlib.closing(sqlite3.connect(rig.outbox)) as outbox,
            contextlib.closing(sqlite3.connect(self._path)) as copy,
        ):
            outbox.backup(copy)

    async def _note(self) -> Lost:
        # On the loop of the load, which changes the ledger.
        return Lost(self._rig.ledger)

    def restore(self) -> None:
        """Kill the collector and replace its outbox; InfluxDB must run. Does not start it."""
        rig = self._rig
        rig.collector.kill()
        # The devices have taken note of all responses when no connection is left.
        wait_for(lambda: not rig.device_proxy.connections, what="the end of all connections")
        for suffix in ("-wal", "-shm"):
            rig.outbox.with_name(rig.outbox.name + suffix).unlink(missing_ok=True)
        self._path.replace(rig.outbox)
        stored = {(p.key, p.time_ns) for p in points(rig.influx.port)}
        rig.only_in_database += rig.background.run(self._give_up(stored), timeout=30)

    async def _give_up(self, stored: set[tuple[Key, int]]) -> list[Reading]:
        return self._lost.give_up(stored)


def restore_outbox(rig: Rig, _: random.Random) -> Heal:
    """Copy the outbox; kill the collector and start it on the copy when healed."""
    copy = OutboxCopy(rig)

    def restore() -> None:
        rig.influx.wait_ready()
        copy.restore()
        rig.collector.start()

    return restore
