"""The bridge's writer with a faulty storage."""

import asyncio
import itertools
from collections.abc import Callable, Coroutine, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.dead_letter import DeadLetter
from bridge.decode import Delivery
from bridge.storage import Outcome, Result
from bridge.writer import Batch, Writer
from tests.unit.faulty_storage import (
    POISON,
    REJECTED,
    STORED,
    TOO_LARGE,
    FaultyStorage,
    waiting,
)
from tests.unit.messages import message


class Rig:
    """A writer and what it settles."""

    def __init__(self, storage: FaultyStorage, batch_max: int) -> None:
        self.storage = storage
        self.batches: list[Batch] = []
        self.reasons: list[str | None] = []
        self.writer = Writer(storage, batch_max, self._settle, self._state)

    def _settle(self, batch: Batch) -> None:
        for delivery in batch.stored:
            assert delivery.record in self.storage.stored, "settled before it was stored"
        self.batches.append(batch)

    def _state(self) -> None:
        self.reasons.append(self.writer.reason)

    def delivery(self, mid: int, value: int = 1, epoch: int = 1) -> Delivery:
        """Return a reading whose timestamp distinguishes it from the others."""
        payload = b'{"value":%d,"ts":"1970-01-01T00:00:00.%09dZ"}' % (value, mid)
        return Delivery(message(payload, mid=mid, epoch=epoch), self.storage.reading)

    def settled(self) -> list[int]:
        """Return the ids of the settled messages, in their order."""
        return [
            d.message.mid for b in self.batches for d in (*b.stored, *(d for d, _ in b.rejected))
        ]


def run(
    scenario: Callable[[Rig], Coroutine[object, object, None]],
    faults: Sequence[Result] = (),
    *,
    largest: int = 10**6,
    batch_max: int = 5000,
) -> Rig:
    """Run a scenario with a writer that never sleeps."""

    async def main() -> Rig:
        rig = Rig(FaultyStorage(faults, largest), batch_max)
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
    """Let the loop run, for a bounded number of iterations."""
    for _ in range(20_000):
        if condition():
            return
        await asyncio.sleep(0)
    pytest.fail("did not happen")


def send(values: list[int]) -> Callable[[Rig], Coroutine[object, object, None]]:
    """Return the scenario in which these readings arrive at once and are all settled."""

    async def scenario(rig: Rig) -> None:
        for mid, value in enumerate(values):
            rig.writer.add(rig.delivery(mid, value))
        await until(lambda: len(rig.settled()) == len(values))

    return scenario


VALUES = st.lists(st.sampled_from([1, 2, POISON]), min_size=1, max_size=40)
FAULTS = st.lists(st.sampled_from([waiting(str(s)) for s in (401, 403, 429, 500, 503)]), max_size=3)


@given(VALUES, st.integers(1, 50), st.integers(1, 50), FAULTS)
def test_every_reading_is_settled_once_and_only_poison_is_rejected(
    values: list[int], batch_max: int, largest: int, faults: list[Result]
) -> None:
    rig = run(send(values), faults, largest=largest, batch_max=batch_max)
    assert sorted(rig.settled()) == list(range(len(values)))
    rejected = [d.message.mid for batch in rig.batches for d, _ in batch.rejected]
    assert rejected == [mid for mid, value in enumerate(values) if value == POISON]
    stored = [d.message.mid for batch in rig.batches for d in batch.stored]
    assert stored == [mid for mid, value in enumerate(values) if value != POISON]
    assert max(map(len, rig.storage.writes)) <= batch_max
    assert rig.writer.rejected == len(rejected)


def test_poison_is_found_with_few_writes_and_its_reason() -> None:
    rig = run(send([1] * 700 + [POISON] + [1] * 300))
    ((found, reason),) = rig.batches[0].rejected
    assert found.message.mid == 700
    assert reason == REJECTED.detail
    assert len(rig.storage.writes) <= 1 + 2 * 10  # halving


def test_a_batch_of_only_poison_is_rejected_completely() -> None:
    rig = run(send([POISON] * 9))
    assert (rig.batches[0].stored, len(rig.batches[0].rejected)) == ([], 9)


def test_a_reading_too_large_for_the_storage_is_rejected() -> None:
    rig = run(send([1, 1]), largest=0)
    assert [reason for _, reason in rig.batches[0].rejected] == [TOO_LARGE.detail] * 2


def test_the_same_records_are_written_again_after_a_failure() -> None:
    rig = run(send([1, 2, 3]), [waiting("500 timeout"), waiting("no answer"), waiting("401 who")])
    first, *others = rig.storage.writes
    assert others == [first] * 3
    assert rig.reasons == [
        "InfluxDB: 500 timeout",
        "InfluxDB: no answer",
        "InfluxDB: 401 who",
        None,
    ]
    assert rig.writer.failures == 3


def test_a_missing_database_is_created() -> None:
    async def scenario(rig: Rig) -> None:
        rig.storage.exists = False
        await send([1, 2])(rig)

    rig = run(scenario)
    assert rig.storage.exists
    assert len(rig.storage.stored) == 2


@pytest.mark.parametrize("outcome", [outcome for outcome in Outcome if outcome is not STORED[0]])
def test_a_database_that_cannot_be_created_costs_no_reading(outcome: Outcome) -> None:
    async def scenario(rig: Rig) -> None:
        rig.storage.exists = False
        rig.storage.creation = Result(outcome, "403 no")
        rig.writer.add(rig.delivery(1))
        await until(lambda: len(rig.storage.writes) > 3)
        assert not rig.batches
        rig.storage.creation = STORED
        await until(lambda: rig.settled() == [1])

    rig = run(scenario)
    assert rig.writer.rejected == 0
    assert rig.reasons == ["InfluxDB: cannot create the database: 403 no", None]


def test_what_arrives_during_a_write_goes_into_the_next() -> None:
    async def scenario(rig: Rig) -> None:
        rig.storage.hold.clear()
        rig.writer.add(rig.delivery(0))
        await until(lambda: rig.storage.writes)
        for mid in range(1, 6):
            rig.writer.add(rig.delivery(mid))
        letter = DeadLetter(message("", mid=9), "not a reading")
        rig.writer.add_unreadable(letter)
        for _ in range(100):
            await asyncio.sleep(0)
        assert (rig.batches, rig.writer.queued) == ([], 6)
        rig.storage.hold.set()
        await until(lambda: len(rig.settled()) == 6)
        assert [b.unreadable for b in rig.batches if b.unreadable] == [[letter]]

    rig = run(scenario, batch_max=4)
    assert [len(records) for records in rig.storage.writes] == [1, 4, 1]
    assert rig.settled() == [0, 1, 2, 3, 4, 5]


def test_what_the_broker_redelivers_is_forgotten() -> None:
    async def scenario(rig: Rig) -> None:
        for mid, epoch in itertools.product(range(2), (1, 2)):
            rig.writer.add(rig.delivery(10 * epoch + mid, epoch=epoch))
        rig.writer.forget_before(2)
        await until(lambda: len(rig.settled()) == 2)

    assert run(scenario).settled() == [20, 21]


def test_counters_are_written_and_not_settled() -> None:
    async def scenario(rig: Rig) -> None:
        rig.writer.add_counters("pipeline x=1i 1")
        await until(lambda: rig.storage.stored)

    rig = run(scenario)
    assert (rig.storage.writes, rig.batches) == ([["pipeline x=1i 1"]], [])
