"""Runs a load in its own event loop, beside the measured processes."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import uvloop

T = TypeVar("T")

_POLL_S = 0.01


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run a load until it ends."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(work)


async def until(condition: Callable[[], bool], timeout_s: float = 60.0) -> None:
    """Wait until the condition holds; raises TimeoutError."""
    async with asyncio.timeout(timeout_s):
        while not condition():  # noqa: ASYNC110  the condition has no event
            await asyncio.sleep(_POLL_S)
