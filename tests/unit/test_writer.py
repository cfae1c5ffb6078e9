"""The bridge's writer with a faulty storage: outages, a missing database, the queue."""

import asyncio

import pytest

from bridge.storage import Outcome, Result
from telemetry.dead_letters.letter import DeadLetter
from tests.unit.faulty_storage import STORED, waiting
from tests.unit.messages import message
from tests.unit.writer_rig import Rig, run, send, until


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


def test_counters_are_written_and_not_settled() -> None:
    async def scenario(rig: Rig) -> None:
        rig.writer.add_counters("pipeline x=1i 1")
        await until(lambda: rig.storage.stored)

    rig = run(scenario)
    assert (rig.storage.writes, rig.batches) == ([["pipeline x=1i 1"]], [])
