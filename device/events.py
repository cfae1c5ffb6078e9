"""What can happen to the device while it waits: a signal, or the sender's end."""

import signal
from queue import Empty, SimpleQueue
from threading import Event, Thread
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType


class Events:
    """Waits for SIGINT, SIGTERM and a thread's end; `stopping` is set by a signal."""

    def __init__(self) -> None:
        self.stopping = Event()
        # A signal's number, None for the end of a thread, or what ended it. SimpleQueue, because
        # its put() may be called from a signal handler, which Event.set() may not.
        self._queue: SimpleQueue[int | BaseException | None] = SimpleQueue()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._on_signal)

    def start(self, work: "Callable[[], None]", name: str) -> None:
        """Start a thread whose end is an event.

        A daemon: in the end, nothing waits for a name that does not resolve or a slow answer.
        """

        def run() -> None:
            end = None
            try:
                work()
            except BaseException as error:  # noqa: BLE001 - raised again in wait()
                end = error
            self._queue.put(end)

        Thread(target=run, name=name, daemon=True).start()

    def wait(self, seconds: float | None) -> bool:
        """Wait for an event, `seconds` at most. True when there was one.

        Raises what ended a thread, if it was an error.
        """
        try:
            event = self._queue.get(timeout=seconds)
        except Empty:
            return False
        if isinstance(event, BaseException):
            raise event
        if event is not None:
            self.stopping.set()
        return True

    def _on_signal(self, number: int, _frame: "FrameType | None") -> None:
        self._queue.put(number)
