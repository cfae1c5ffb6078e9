"""The bridge's writer against a database that refuses, fails and is missing as it is told."""

import asyncio
import itertools
from collections.abc import Callable, Coroutine, Sequence
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.database import Answer, Database
from bridge.entry import Entry
from bridge.writer import Batch, Refused, Writer
from telemetry.mqtt import Message

STORED = Answer(204, "")
REFUSED = Answer(400, '{"error":"partial write: too old dropped=1"}\n')
TOO_LARGE = Answer(413, '{"error":"Request Entity Too Large"}\n')
MISSING = Answer(404, '{"error":"database not found: \\"iot\\""}\n')
POISON = 13  # the value of a reading that the database refuses


class FaultyDatabase:
    """Holds lines like InfluxDB: one bad line among many is refused, the others are stored.

    A stub, since a real InfluxDB gives none of these answers when a test wants it.
    """

    def __init__(self, faults: Sequence[Answer] = (), largest: int = 10**6) -> None:
        self.faults = list(faults)
        self.largest = largest
        self.stored: list[str] = []
        self.writes: list[list[str]] = []
        self.exists = True
        self.creation = Answer(200, "")
        self.hold = asyncio.Event()
        self.hold.set()

    async def write(self, lines: Sequence[str]) -> Answer:
        """Answer one write."""
        self.writes.append(list(lines))
        await self.hold.wait()
        if self.faults:
            return self.faults.pop(0)
        if not self.exists:
            return MISSING
        if len(lines) > self.largest:
            return TOO_LARGE
        good = [line for line in lines if f" value={POISON} " not in line]
        self.stored += good
        return STORED if len(good) == len(lines) else REFUSED

    async def create(self) -> Answer:
        """Answer one CREATE DATABASE."""
        self.exists = self.exists or self.creation.status == 200
        return self.creation


def entry(mid: int, value: int = 1, epoch: int = 1) -> Entry:
    """Return a reading whose timestamp tells it from the others."""
    payload = b'{"value":%d,"ts":"1970-01-01T00:00:00.%09dZ"}' % (value, mid)
    return Entry(Message("readings/1/t", payload, mid, 1, retain=False, epoch=epoch))


class Rig:
    """A writer and what it settles."""

    def __init__(self, database: FaultyDatabase, batch_max: int) -> None:
        self.database = database
        self.batches: list[Batch] = []
        self.reasons: list[str] = []
        self.writer = Writer(cast("Database", database), batch_max, self._settle, self._state)

    def _settle(self, batch: Batch) -> None:
        for settled in batch.stored:
            assert settled.line in self.database.stored, "acknowledged before it was stored"
        self.batches.append(batch)

    def _state(self) -> None:
        self.reasons.append(self.writer.reason)

    def settled(self) -> list[int]:
        """Return the ids of the messages settled, in their order."""
        return [
            e.message.mid for b in self.batches for e in (*b.stored, *(e for e, _ in b.refused))
        ]


def run(
    scenario: Callable[[Rig], Coroutine[object, object, None]],
    faults: Sequence[Answer] = (),
    *,
    largest: int = 10**6,
    batch_max: int = 5000,
) -> Rig:
    """Run a scenario beside a writer, whose own waits take no time."""

    async def main() -> Rig:
        rig = Rig(FaultyDatabase(faults, largest), batch_max)
        running = asyncio.create_task(rig.writer.run())
        await scenario(rig)
        running.cancel()
        await asyncio.wait([running])
        return rig

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("bridge.writer._FIRST_DELAY_S", 0.0)
        patch.setattr("bridge.writer._LINGER_S", 0.0)
        return asyncio.run(main())


async def until(condition: Callable[[], object]) -> None:
    """Let the loop run; a bounded number of turns is the deadline."""
    for _ in range(20_000):
        if condition():
            return
        await asyncio.sleep(0)
    pytest.fail("did not happen")


def send(values: list[int]) -> Callable[[Rig], Coroutine[object, object, None]]:
    """Return the scenario in which these readings arrive at once and are all settled."""

    async def scenario(rig: Rig) -> None:
        for mid, value in enumerate(values):
            rig.writer.add(entry(mid, value))
        await until(lambda: len(rig.settled()) == len(values))

    return scenario


VALUES = st.lists(st.sampled_from([1, 2, POISON]), min_size=1, max_size=40)
FAULTS = st.lists(
    st.sampled_from([Answer(s, "") for s in (0, 401, 403, 429, 500, 503)]), max_size=3
)


@given(VALUES, st.integers(1, 50), st.integers(1, 50), FAULTS)
def test_every_reading_is_settled_once_and_only_poison_is_refused(
    values: list[int], batch_max: int, largest: int, faults: list[Answer]
) -> None:
    rig = run(send(values), faults, largest=largest, batch_max=batch_max)
    assert sorted(rig.settled()) == list(range(len(values)))
    refused = [e.message.mid for batch in rig.batches for e, _ in batch.refused]
    assert refused == [mid for mid, value in enumerate(values) if value == POISON]
    stored = [e.message.mid for batch in rig.batches for e in batch.stored]
    assert stored == [mid for mid, value in enumerate(values) if value != POISON]
    assert max(map(len, rig.database.writes)) <= batch_max
    assert rig.writer.refused == len(refused)


def test_poison_is_found_with_few_writes_and_its_reason() -> None:
    rig = run(send([1] * 700 + [POISON] + [1] * 300))
    ((found, reason),) = rig.batches[0].refused
    assert found.message.mid == 700
    assert reason == '{"error":"partial write: too old dropped=1"}'
    assert len(rig.database.writes) <= 1 + 2 * 10  # halving


def test_a_batch_of_poison_alone_is_refused_whole() -> None:
    rig = run(send([POISON] * 9))
    assert (rig.batches[0].stored, len(rig.batches[0].refused)) == ([], 9)


def test_a_reading_too_large_for_influxdb_is_refused() -> None:
    rig = run(send([1, 1]), largest=0)
    assert [reason for _, reason in rig.batches[0].refused] == [TOO_LARGE.body.strip()] * 2


def test_the_same_lines_are_written_again_after_a_failure() -> None:
    rig = run(send([1, 2, 3]), [Answer(500, "timeout"), Answer(0, "no answer"), Answer(401, "who")])
    first, *others = rig.database.writes
    assert others == [first] * 3
    assert rig.reasons == ["InfluxDB: 500 timeout", "InfluxDB: no answer", "InfluxDB: 401 who", ""]
    assert rig.writer.failures == 3


def test_a_missing_database_is_made() -> None:
    async def scenario(rig: Rig) -> None:
        rig.database.exists = False
        await send([1, 2])(rig)

    rig = run(scenario)
    assert rig.database.exists
    assert len(rig.database.stored) == 2


@pytest.mark.parametrize("status", [0, 400, 401, 403, 404, 413, 500])
def test_a_database_that_cannot_be_made_costs_no_reading(status: int) -> None:
    async def scenario(rig: Rig) -> None:
        rig.database.exists = False
        rig.database.creation = Answer(status, "no")
        rig.writer.add(entry(1))
        await until(lambda: len(rig.database.writes) > 3)
        assert not rig.batches
        rig.database.creation = Answer(200, "")
        await until(lambda: rig.settled() == [1])

    assert run(scenario).writer.refused == 0


def test_what_arrives_during_a_write_goes_into_the_next() -> None:
    async def scenario(rig: Rig) -> None:
        rig.database.hold.clear()
        rig.writer.add(entry(0))
        await until(lambda: rig.database.writes)
        for mid in range(1, 6):
            rig.writer.add(entry(mid))
        refused = Refused(entry(9).message, "no reading")
        rig.writer.add_unreadable(refused)
        for _ in range(100):
            await asyncio.sleep(0)
        assert (rig.batches, rig.writer.waiting) == ([], 6)
        rig.database.hold.set()
        await until(lambda: len(rig.settled()) == 6)
        assert [b.unreadable for b in rig.batches if b.unreadable] == [[refused]]

    rig = run(scenario, batch_max=4)
    assert [len(lines) for lines in rig.database.writes] == [1, 4, 1]
    assert rig.settled() == [0, 1, 2, 3, 4, 5]


def test_what_the_broker_sends_again_is_forgotten() -> None:
    async def scenario(rig: Rig) -> None:
        for mid, epoch in itertools.product(range(2), (1, 2)):
            rig.writer.add(entry(10 * epoch + mid, epoch=epoch))
        rig.writer.forget_before(2)
        await until(lambda: len(rig.settled()) == 2)

    assert run(scenario).settled() == [20, 21]


def test_lines_about_the_pipeline_are_written_and_never_settled() -> None:
    async def scenario(rig: Rig) -> None:
        rig.writer.add_line("pipeline x=1i 1")
        await until(lambda: rig.database.stored)

    rig = run(scenario)
    assert (rig.database.writes, rig.batches) == ([["pipeline x=1i 1"]], [])
