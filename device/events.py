"""What the main thread waits for: a signal, or the end of the sender's thread."""

import signal
from collections.abc import Callable
from queue import Empty, SimpleQueue
from threading import Event, Thread
from types import FrameType


class Events:
    """Waits for SIGINT, SIGTERM and the end of a thread; a signal sets `stopping`."""

    def __init__(self) -> None:
        self.stopping = Event()
        # Items: a signal's number; None when a thread has ended; the exception it ended with.
        # SimpleQueue.put(), unlike Event.set(), may be called from a signal handler.
        self._queue: SimpleQueue[int | BaseException | None] = SimpleQueue()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._on_signal)

    def start(self, work: Callable[[], None], name: str) -> None:
        """Start a thread whose end is an event.

        It is a daemon, so a slow DNS lookup or response does not delay the exit.
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
        """Wait for an event, at most `seconds`. Return whether one occurred.

        Raises the exception that ended a thread.
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

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        self._queue.put(number)
