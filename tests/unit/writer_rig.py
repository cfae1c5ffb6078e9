"""A writer with a faulty storage, and what it settles."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import pytest

from bridge.batch import Batch
from bridge.decode import Delivery
from bridge.storage import Result
from bridge.writer import Writer
from tests.unit.faulty_storage import FaultyStorage
from tests.unit.messages import message, reading_payload


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
        self.reasons.append(self.writer.state.waiting)

    def delivery(  # noqa: PLR0913  each test names the few it needs
        self,
        mid: int,
        value: int = 1,
        epoch: int = 1,
        ns: int | None = None,
        seq: int = 0,
        *,
        qos: int = 1,
    ) -> Delivery:
        """Return a reading whose timestamp distinguishes it from the others, unless `ns` is given.

        Without `seq`, its number in its outbox does as well.
        """
        payload = reading_payload(mid if ns is None else ns, value, seq or 1000 + mid)
        arrived = message(payload, mid=mid, epoch=epoch)._replace(qos=qos)
        return Delivery(arrived, self.storage.reading)

    def held(self) -> int:
        """Return how many readings are set aside."""
        return sum(map(len, self.writer.aside._waiting.values()))  # noqa: SLF001

    def poke(self) -> bool:
        """Let the writer look at what is set aside, as each status does."""
        self.writer.add_counters("pipeline x=1i 1")
        return True

    def settled(self) -> list[int]:
        """Return the ids of the settled messages, in their order."""
        return [
            d.message.mid for b in self.batches for d in (*b.stored, *(d for d, _ in b.rejected))
        ]


def run(
    scenario: Callable[[Rig], Coroutine[object, object, None]],
    faults: Sequence[Result] = (),
    *,
    batch_max: int = 5000,
    **options: Any,  # noqa: ANN401  those of FaultyStorage
) -> Rig:
    """Run a scenario with a writer that never sleeps."""

    async def main() -> Rig:
        rig = Rig(FaultyStorage(faults, **options), batch_max)
        running = asyncio.create_task(rig.writer.run())
        await scenario(rig)
        running.cancel()
        await asyncio.wait([running])
        return rig

    with pytest.MonkeyPatch.context() as patch:
        for name in ("writer._FIRST_DELAY_S", "writer._LINGER_S", "aside._FIRST_DELAY_S"):
            patch.setattr(f"bridge.{name}", 0.0)
        return asyncio.run(main())


async def until(condition: Callable[[], object]) -> None:
    """Let the loop run, for a bounded number of iterations."""
    for _ in range(20_000):
        if condition():
            return
        await asyncio.sleep(0)
    pytest.fail("did not happen")


def send(values: Sequence[int]) -> Callable[[Rig], Coroutine[object, object, None]]:
    """Return the scenario in which these readings arrive at once and are all settled."""

    async def scenario(rig: Rig) -> None:
        for mid, value in enumerate(values):
            rig.writer.add(rig.delivery(mid, value))
        await until(lambda: len(rig.settled()) == len(values))

    return scenario


def rejected(rig: Rig) -> list[tuple[int, str]]:
    """Return the ids and reasons of the rejected messages."""
    return [(d.message.mid, reason) for batch in rig.batches for d, reason in batch.rejected]
