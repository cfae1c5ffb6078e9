"""Which worker's failure ends the service, and which one is started again."""

import asyncio

import pytest

from collector.workers import WorkerFailed, Workers

_TIMES = 3


class Failing(Workers):
    """Workers whose number 1 is ready, unless `is_ready` is false; all end with exit code 1."""

    def __init__(self, *, is_ready: bool) -> None:
        super().__init__("", {})
        self.started = 0
        self._is_ready = is_ready
        self._first_is_ready.set()

    async def _run(self, number: int) -> tuple[bool, int]:
        self.started += 1
        if self.started == _TIMES:
            await self.stop()
        return self._is_ready and number == 1, 1


@pytest.mark.parametrize(
    ("number", "is_ready", "times"), [(1, False, 1), (1, True, _TIMES), (2, True, _TIMES)]
)
def test_only_the_first_one_ends_the_service_and_only_before_it_was_ready(
    monkeypatch: pytest.MonkeyPatch, number: int, *, is_ready: bool, times: int
) -> None:
    monkeypatch.setattr("collector.workers._FIRST_WAIT_S", 0.001)
    workers = Failing(is_ready=is_ready)
    if times == 1:
        with pytest.raises(WorkerFailed, match="worker 1 ended with exit code 1"):
            asyncio.run(workers.keep(number))
    else:
        asyncio.run(workers.keep(number))
    assert workers.started == times
