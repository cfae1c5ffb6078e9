"""A thread for blocking calls that does not keep the process from ending."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Any, TypeVar

T = TypeVar("T")


class Thread:
    """Makes one call after another.

    Like a ThreadPoolExecutor with one worker, except that Python joins an executor's thread at
    exit, and would wait there for the response of a server that does not respond.
    """

    def __init__(self, name: str) -> None:
        self._calls: SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None] = SimpleQueue()
        threading.Thread(target=self._work, name=name, daemon=True).start()

    async def run(self, call: Callable[[], T]) -> T:
        """Make the call after those before it; raises whatever it raises."""
        return await asyncio.wrap_future(self.start(call))

    def start(self, call: Callable[[], T]) -> Future[T]:
        """Have the call made after those before it, unless it is cancelled until then."""
        outcome: Future[T] = Future()
        self._calls.put((outcome, call))
        return outcome

    def end(self) -> None:
        """End the thread after the calls that were begun before."""
        self._calls.put(None)

    def _work(self) -> None:
        while next_call := self._calls.get():
            outcome, call = next_call
            if outcome.set_running_or_notify_cancel():
                try:
                    outcome.set_result(call())
                except BaseException as error:  # noqa: BLE001  `run` raises it
                    outcome.set_exception(error)
