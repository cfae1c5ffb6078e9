"""Whose turn it is: in their order, with bounds on how many wait and for how long."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from collector.live.turns import HistoryBusy, Turns


class Asker:
    """Has its turn until `done` is set."""

    def __init__(self, turns: Turns) -> None:
        self.done = asyncio.Event()
        self.has_turn = False
        self.task = asyncio.create_task(self._ask(turns))

    async def _ask(self, turns: Turns) -> None:
        async with turns.turn():
            self.has_turn = True
            await self.done.wait()


async def askers(turns: Turns, count: int) -> list[Asker]:
    made = [Asker(turns) for _ in range(count)]
    await settle()
    return made


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


def run(scenario: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(5):
            await scenario()

    asyncio.run(bounded())


def test_turns_go_by_arrival_and_a_further_one_is_refused() -> None:
    async def scenario() -> None:
        waiting = await askers(Turns(2, 2, 60), 5)
        with pytest.raises(HistoryBusy, match="4 others"):
            await waiting.pop().task
        for number, asker in enumerate(waiting):
            turns = [one.has_turn for one in waiting]
            assert turns == [place < number + 2 for place in range(4)]
            asker.done.set()
            await settle()

    run(scenario)


@pytest.mark.parametrize("leaving", [0, 1, 2])
def test_who_leaves_gives_the_place_back(leaving: int) -> None:
    async def scenario() -> None:
        turns = Turns(1, 2, 60)
        waiting = await askers(turns, 3)
        waiting.pop(leaving).task.cancel()
        await settle()
        waiting += await askers(turns, 1)
        for asker in waiting:
            asker.done.set()
        await asyncio.gather(*(asker.task for asker in waiting))

    run(scenario)


def test_nobody_waits_for_longer_than_that() -> None:
    async def scenario() -> None:
        first, second = await askers(Turns(1, 1, 0.05), 2)
        with pytest.raises(HistoryBusy, match=r"after 0\.05 s"):
            await second.task
        first.done.set()
        await first.task

    run(scenario)
