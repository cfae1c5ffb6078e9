"""A storage that rejects, fails or lacks its database on demand."""

import asyncio
from collections.abc import Mapping, Sequence

from bridge.storage import Outcome, Result

STORED = Result(Outcome.STORED)
REJECTED = Result(Outcome.REJECTED, "partial write: too old dropped=1")
TOO_LARGE = Result(Outcome.TOO_LARGE, "Request Entity Too Large")
MISSING = Result(Outcome.NO_DATABASE, '404 database not found: "iot"')
POISON = 13  # the value of a reading that the storage rejects


def waiting(detail: str) -> Result:
    return Result(Outcome.WAIT, detail)


class FaultyStorage:
    """Like InfluxDB, rejects a write with one bad record and stores the others.

    A stub, because a real InfluxDB does not fail on demand.
    """

    name = "InfluxDB"

    def __init__(self, faults: Sequence[Result] = (), largest: int = 10**6) -> None:
        self.faults = list(faults)
        self.largest = largest
        self.stored: list[str] = []
        self.writes: list[list[str]] = []
        self.exists = True
        self.creation = STORED
        self.hold = asyncio.Event()
        self.hold.set()

    def reading(self, series: str, value: float, ns: int) -> str:
        return f"{series} {value} {ns}"

    def counters(self, service: str, instance: str, counters: Mapping[str, int], ns: int) -> str:
        raise NotImplementedError

    async def write(self, records: Sequence[str]) -> Result:
        self.writes.append(list(records))
        await self.hold.wait()
        if self.faults:
            return self.faults.pop(0)
        if not self.exists:
            return MISSING
        if len(records) > self.largest:
            return TOO_LARGE
        good = [record for record in records if f" {POISON} " not in record]
        self.stored += good
        return STORED if len(good) == len(records) else REJECTED

    async def create(self) -> Result:
        self.exists = self.exists or self.creation == STORED
        return self.creation

    def close(self) -> None:
        raise NotImplementedError
