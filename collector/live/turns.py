"""Whose turn it is to ask InfluxDB."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class HistoryBusy(Exception):
    """Too many ask InfluxDB at once."""


class Turns:
    """Lets `at_once` requests ask; `waiting` more wait, in their order, for at most `wait_s`."""

    def __init__(self, at_once: int, waiting: int = 0, wait_s: float = 0) -> None:
        self._free = asyncio.Semaphore(at_once)
        self._most = at_once + waiting
        self._wait_s = wait_s
        self._present = 0

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Have a turn; raises HistoryBusy when there is no place, or no turn in time."""
        if self._present == self._most:
            raise HistoryBusy(f"{self._most} others are asking for the history")
        self._present += 1
        try:
            await self._wait()
            try:
                yield
            finally:
                self._free.release()
        finally:
            self._present -= 1

    async def _wait(self) -> None:
        try:
            async with asyncio.timeout(self._wait_s):
                await self._free.acquire()
        except TimeoutError:
            detail = f"others are asking for the history, and had not done after {self._wait_s:g} s"
            raise HistoryBusy(detail) from None
