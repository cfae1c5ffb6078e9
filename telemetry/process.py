"""What every service does at its start and its end: logging, signals, the exit code."""

import asyncio
import gc
import logging
import os
import resource
import signal
import sys
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Any

import uvloop

_SIGNALS = (signal.SIGTERM, signal.SIGINT)
# New objects between two collections of cyclic garbage, of which there is little. With Python's
# default of 700, collections take some percent of the time, and the longest delay requests.
_GC_THRESHOLD = 10_000


class ServiceError(Exception):
    """A service cannot start, or cannot go on; the text says why."""


def main(name: str, serve: Callable[[], Coroutine[Any, Any, None]]) -> int:
    """Run a service and return its exit code: 1 for a ServiceError, written to stderr, else 0."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s", stream=sys.stdout)
    os.umask(0o077)  # another user could read the outbox, or lock it
    leave_no_core_file()
    for number in _SIGNALS:
        signal.signal(number, lambda *_: sys.exit(0))  # until `run` handles them
    gc.freeze()
    gc.set_threshold(_GC_THRESHOLD)
    try:
        uvloop.run(serve())
    except ServiceError as error:
        sys.stderr.write(f"{name}: {error}\n")
        return 1
    return 0


def leave_no_core_file() -> None:
    """Let this process, and those that it starts, end without a file that holds its passwords."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


async def run(*, stop: Callable[[], Awaitable[None]], **parts: Coroutine[Any, Any, None]) -> None:
    """Run the parts of a service until SIGTERM, SIGINT or the end of any of them, and `stop`."""
    await run_parts(stop, {"signal": _signalled().wait(), **parts})


async def run_parts(
    stop: Callable[[], Awaitable[None]], parts: Mapping[str, Coroutine[Any, Any, Any]]
) -> None:
    """Run parts as tasks, by name, until any of them ends.

    Then `stop` brings them to an orderly end while the others still run, and these are cancelled.
    Raises what a part raised.
    """
    tasks = [asyncio.create_task(part, name=name) for name, part in parts.items()]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        await stop()
    finally:
        running = [task for task in tasks if not task.done()]
        for task in running:
            task.cancel()
        await asyncio.wait(tasks)
    for task in tasks:
        if not (task in running and task.cancelled()):
            task.result()


def _signalled() -> asyncio.Event:
    """Return an event that SIGTERM and SIGINT set."""
    event = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in _SIGNALS:
        loop.add_signal_handler(number, event.set)
    return event
