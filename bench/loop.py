"""Loads run in an event loop of their own, while the processes under measure do their work."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import uvloop

T = TypeVar("T")

_POLL_S = 0.01


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run a load to its end."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(work)


async def until(condition: Callable[[], bool], timeout_s: float = 60.0) -> None:
    """Return once the condition holds; TimeoutError when it never does."""
    async with asyncio.timeout(timeout_s):
        while not condition():  # noqa: ASYNC110  what is waited for tells nobody
            await asyncio.sleep(_POLL_S)
