"""Rejected readings and failing writes: each reading is settled once, good neighbours soon."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from bridge.storage import Result
from tests.unit.faulty_storage import BROKEN, POISON, REJECTED, failed, waiting
from tests.unit.writer_rig import Rig, rejected, run, send, until

READINGS = st.lists(
    st.tuples(st.integers(0, 12), st.sampled_from([1, 2, 3, POISON, BROKEN])),
    min_size=1,
    max_size=40,
)
FAULTS = st.lists(
    st.sampled_from([*map(waiting, ("401", "429")), *map(failed, ("500", "503"))]), max_size=6
)


OPTIONS = st.fixed_dictionaries(
    {
        "batch_max": st.integers(1, 50),
        "largest": st.integers(1, 50),
        "counts": st.booleans(),
        "retention": st.integers(0, 6),
    }
)


@given(READINGS, FAULTS, OPTIONS)
def test_every_reading_is_settled_once_and_the_last_of_each_point_is_what_is_stored(
    readings: list[tuple[int, int]], faults: list[Result], options: dict[str, Any]
) -> None:
    retention = options["retention"]

    async def scenario(rig: Rig) -> None:
        for mid, (ns, value) in enumerate(readings):
            rig.writer.add(rig.delivery(mid, value, ns=ns))
        sound = sum(value != BROKEN for _, value in readings)
        await until(lambda: len(rig.settled()) + rig.held() >= sound)
        rig.storage.repaired = True
        await until(lambda: rig.poke() and len(rig.settled()) == len(readings))

    rig = run(scenario, faults, **options)
    assert sorted(rig.settled()) == list(range(len(readings)))
    rejected = {d.message.mid for batch in rig.batches for d, _ in batch.rejected}
    bad = {mid for mid, (ns, value) in enumerate(readings) if value == POISON or ns < retention}
    assert rejected == bad
    assert rig.writer.rejected == len(bad)
    last = {ns: value for mid, (ns, value) in enumerate(readings) if mid not in bad}
    stored = [record.split() for record in rig.storage.points.values() if "temp" in record]
    assert {int(ns): int(value) for _, value, ns in stored} == last
    sizes = [len(records) for records in rig.storage.writes if "temp" in records[0]]
    assert max(sizes) <= options["batch_max"]
    assert len(rig.writer.aside) == 0


def test_poison_is_found_with_few_writes_and_its_reason() -> None:
    rig = run(send([1] * 700 + [POISON] + [1] * 300))
    assert rejected(rig) == [(700, REJECTED.detail)]
    assert len(rig.storage.writes) <= 1 + 2 * 10  # halving


def test_a_batch_of_only_poison_is_rejected_by_one_write_if_the_storage_says_how_many() -> None:
    rig = run(send([POISON] * 9), counts=True)
    assert len(rejected(rig)) == 9
    assert len(rig.storage.writes) == 1


def test_readings_beyond_the_retention_are_found_with_one_more_write() -> None:
    async def scenario(rig: Rig) -> None:
        for mid in range(1000):
            rig.writer.add(rig.delivery(mid, ns=mid * 7919 % 1000))
        await until(lambda: len(rig.settled()) == 1000)

    rig = run(scenario, retention=100)
    assert len(rejected(rig)) == 100
    assert len(set(rig.storage.stored)) == 900
    assert [len(records) for records in rig.storage.writes] == [1000, 100, 900]


def test_good_neighbours_are_settled_before_all_is_known() -> None:
    async def scenario(rig: Rig) -> None:
        await send([1])(rig)
        for mid in range(1000):
            rig.writer.add(rig.delivery(mid + 1, POISON if mid == 900 else 1))
        await until(lambda: len(rig.settled()) == 1001)

    rig = run(scenario)
    assert len(rig.batches[2].stored) == 500
    _, reason, stores = rig.reasons
    assert "to tell what it rejects" in str(reason)
    assert stores is None


def test_a_write_too_large_for_the_storage_is_halved_and_grows_again() -> None:
    async def scenario(rig: Rig) -> None:
        await send([1] * 100)(rig)
        rig.storage.largest = 10**6
        for mid in range(100, 400):
            rig.writer.add(rig.delivery(mid))
            await until(lambda: len(rig.settled()) > mid)  # noqa: B023
        for mid in range(400, 500):
            rig.writer.add(rig.delivery(mid))
        await until(lambda: len(rig.settled()) == 500)

    rig = run(scenario, largest=20, batch_max=100)
    assert not rejected(rig)
    assert len(rig.storage.writes[-1]) == 100


def test_a_reading_that_always_fails_is_set_aside_and_others_are_stored() -> None:
    async def scenario(rig: Rig) -> None:
        for mid, value in enumerate([1] * 50 + [BROKEN] + [1] * 50):
            rig.writer.add(rig.delivery(mid, value))
        await until(lambda: len(rig.settled()) == 100 and len(rig.writer.aside) == 1)
        assert rig.writer.state.waiting is None
        rig.writer.add(rig.delivery(200, 2, ns=50))  # a later reading of the same point
        rig.writer.add(rig.delivery(201))
        await until(lambda: 201 in rig.settled())
        assert not {50, 200} & {*rig.settled()}
        rig.storage.repaired = True
        await until(lambda: rig.poke() and len(rig.settled()) == 103)
        assert rig.settled()[-2:] == [50, 200]

    rig = run(scenario)
    assert not rejected(rig)
    assert {*rig.storage.points.values()} >= {"123/temp 2 50"}


def test_a_replay_takes_the_place_of_the_copy_that_is_set_aside() -> None:
    async def scenario(rig: Rig) -> None:
        rig.writer.add(rig.delivery(1, BROKEN, seq=7))
        await until(lambda: len(rig.writer.aside) == 1)
        rig.writer.add(rig.delivery(2, BROKEN, ns=1, seq=7))
        await until(lambda: any(batch.repeated for batch in rig.batches))
        rig.storage.repaired = True
        await until(lambda: rig.poke() and rig.settled() == [2])

    rig = run(scenario)
    (repeated,) = [batch.repeated for batch in rig.batches if batch.repeated]
    assert [message.mid for message in repeated] == [1]


def test_a_flood_at_qos_0_of_a_point_that_is_set_aside_does_not_pile_up() -> None:
    async def scenario(rig: Rig) -> None:
        rig.writer.add(rig.delivery(1, BROKEN, qos=0))
        rig.writer.add(rig.delivery(2, 2, ns=1))
        rig.writer.add(rig.delivery(3, BROKEN, ns=3))
        await until(lambda: len(rig.writer.aside) >= 1 and 3 not in rig.settled())
        for value in range(100):
            rig.writer.add(rig.delivery(9, value, ns=1, qos=0))
        rig.writer.add(rig.delivery(10))
        await until(lambda: 10 in rig.settled())
        assert rig.held() <= 4
        rig.storage.repaired = True
        await until(lambda: rig.poke() and {2, 3, 9} <= {*rig.settled()} and not rig.held())

    rig = run(scenario)
    assert rig.storage.points["123/temp", "1"] == "123/temp 99 1"


def test_a_storage_that_always_fails_is_waited_for_and_nothing_is_lost() -> None:
    async def scenario(rig: Rig) -> None:
        for mid in range(20):
            rig.writer.add(rig.delivery(mid))
        await until(lambda: len(rig.storage.writes) > 25)
        assert rig.settled() == []
        rig.storage.largest = 100
        await until(lambda: rig.poke() and len(rig.settled()) == 20)

    rig = run(scenario, largest=0)
    assert "413" in str(rig.reasons[0])
    assert rig.reasons[-1] is None


def test_the_state_is_refusing_while_everything_is_rejected() -> None:
    async def scenario(rig: Rig) -> None:
        await send([1] + [POISON] * 9)(rig)
        assert rig.writer.state.refusing is None
        rig.writer.add(rig.delivery(50, POISON))
        await until(lambda: rig.writer.state.refusing == REJECTED.detail)
        rig.writer.add(rig.delivery(51))
        await until(lambda: rig.writer.state.refusing is None)

    run(scenario, counts=True)


def test_rejected_counters_do_not_keep_the_bridge_waiting() -> None:
    async def scenario(rig: Rig) -> None:
        rig.writer.add_counters(f"pipeline {POISON} 1")
        await until(lambda: rig.reasons == [None])

    run(scenario)
