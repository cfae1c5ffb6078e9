"""An event loop on its own thread: proxies and load keep running while a test blocks."""

import asyncio
import contextlib
import threading
from collections.abc import Coroutine, Iterator
from typing import TYPE_CHECKING, Protocol, Self, TypeVar

if TYPE_CHECKING:
    from concurrent.futures import Future

T = TypeVar("T")


class Stoppable(Protocol):
    """Work that ends some time after it is told to stop."""

    async def run(self) -> None: ...

    def stop(self) -> None: ...


L = TypeVar("L", bound=Stoppable)


class Background:
    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, name="chaos", daemon=True)

    def start(self) -> Self:
        self._thread.start()
        return self

    def stop(self) -> None:
        self.run(self._cancel_all(), timeout=10)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(timeout=10)
        self.loop.close()

    def run(self, work: Coroutine[object, object, T], *, timeout: float) -> T:
        """Run `work` on the loop and return its result; TimeoutError after `timeout` s."""
        return self.spawn(work).result(timeout)

    def spawn(self, work: Coroutine[object, object, T]) -> "Future[T]":
        return asyncio.run_coroutine_threadsafe(work, self.loop)

    @contextlib.contextmanager
    def running(self, load: L, *, timeout: float) -> Iterator[L]:
        """Run `load` while the block runs; TimeoutError when it does not end after `timeout` s."""
        work = self.spawn(load.run())
        try:
            yield load
        finally:
            self.loop.call_soon_threadsafe(load.stop)
            work.result(timeout)

    async def _cancel_all(self) -> None:
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            if task is not None:
                task.cancel()
        await asyncio.gather(*(task for task in tasks if task), return_exceptions=True)
        await self.loop.shutdown_default_executor()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()
