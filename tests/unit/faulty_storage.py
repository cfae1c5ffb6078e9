"""A storage that rejects, fails or lacks its database on demand."""

import asyncio
from collections.abc import Mapping, Sequence

import msgspec

from bridge.storage import Outcome, Result

STORED = Result(Outcome.STORED)
REJECTED = Result(Outcome.REJECTED, "partial write: too old dropped=1")
TOO_LARGE = Result(Outcome.FAILED, "413 Request Entity Too Large")
MISSING = Result(Outcome.NO_DATABASE, '404 database not found: "iot"')
POISON = 13  # the value of a reading that the storage rejects
BROKEN = 17  # the value of a reading with which a write fails, until `repaired`


def failed(detail: str) -> Result:
    return Result(Outcome.FAILED, detail)


def waiting(detail: str) -> Result:
    return Result(Outcome.WAIT, detail)


class FaultyStorage:
    """Like InfluxDB, rejects a write with one bad record and stores the others.

    A stub, because a real InfluxDB does not fail on demand. With `counts`, it says how many records
    it dropped; records with a time before `retention` are dropped, too, as beyond its retention.
    """

    name = "InfluxDB"

    def __init__(
        self,
        faults: Sequence[Result] = (),
        largest: int = 10**6,
        *,
        counts: bool = False,
        retention: int = 0,
    ) -> None:
        self.faults = list(faults)
        self.largest = largest
        self.counts = counts
        self.retention = retention
        self.repaired = False
        self.stored: list[str] = []
        self.points: dict[tuple[str, str], str] = {}
        """The record that was written last to each point."""
        self.writes: list[list[str]] = []
        self.exists = True
        self.creation = STORED
        self.hold = asyncio.Event()
        self.hold.set()
        self.closed = False

    def reading(self, series: str, value: float, ns: int) -> str:
        return f"{series} {value} {ns}"

    def counters(self, service: str, instance: str, counters: Mapping[str, int], ns: int) -> str:
        return f"counters,{service},{instance} {msgspec.json.encode(counters).decode()} {ns}"

    def time(self, record: str) -> int:
        return int(record.rsplit(maxsplit=1)[-1])

    def point(self, record: str) -> tuple[str, str]:
        return record.split(maxsplit=1)[0], record.rsplit(maxsplit=1)[-1]

    async def prepare(self) -> Result:
        return STORED

    async def write(self, records: Sequence[str]) -> Result:
        self.writes.append(list(records))
        await self.hold.wait()
        if self.faults:
            return self.faults.pop(0)
        if not self.exists:
            return MISSING
        if len(records) > self.largest:
            return TOO_LARGE
        if not self.repaired and any(f" {BROKEN} " in record for record in records):
            return failed("500 broken")
        kept = [record for record in records if self.time(record) >= self.retention]
        good = [record for record in kept if f" {POISON} " not in record]
        self.stored += good
        self.points |= {self.point(record): record for record in good}
        return self._answer(len(records) - len(kept), len(kept) - len(good))

    def _answer(self, old: int, poisonous: int) -> Result:
        """Return the result; like InfluxDB, a shard's own fault hides what is too old."""
        if poisonous:
            return REJECTED._replace(dropped=poisonous if self.counts else None)
        if old:
            return REJECTED._replace(dropped=old, oldest=True)
        return STORED

    async def create(self) -> Result:
        self.exists = self.exists or self.creation == STORED
        return self.creation

    async def maintain(self) -> None:
        await asyncio.Event().wait()

    def close(self) -> None:
        self.closed = True
