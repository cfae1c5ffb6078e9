"""Messages whose readings wait for the outbox, and what becomes of them."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from collector.devices.payload import Taken
from collector.outbox.group_commit import Commit, OutboxFull
from collector.outbox.outbox import Outbox
from collector.outbox.row import Draft
from collector.outbox.schema import OutboxUnusable
from telemetry.mqtt import Message

logger = logging.getLogger(__name__)

# Readings appended at once; fewer while the outbox has no room for so many.
_PORTION = 5_000
_MAX_READINGS = 20_000
# Readings of a message that, if there is no room for them, must not block those behind it. Others
# keep their order: of two readings of one point the later one has to win.
_LARGE = 100


class Waiting(NamedTuple):
    """A message without its payload, and what was taken from it."""

    message: Message
    taken: Taken


def held(message: Message, epoch: int, *, session_present: bool) -> Message | None:
    """Return a message as it is kept on a new connection; None if the broker delivers it again.

    If the broker has lost the session this is the only copy, and nobody waits for its PUBACK.
    """
    if not message.qos or message.epoch == epoch:
        return message
    return None if session_present else message._replace(qos=0)


class Backlog:
    """Hands messages to the outbox in the order of their arrival, many in one commit.

    `on_committed` is called with each message whose readings are on disk. While the outbox takes
    nothing, they stay here, and are tried again by `tick`.
    """

    def __init__(self, outbox: Outbox, on_committed: Callable[[Message, Taken], None]) -> None:
        self._outbox = outbox
        self._on_committed = on_committed
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[Waiting] = deque()
        self._readings = 0
        self._is_scheduled = False
        self._committing = 0  # how many of the first messages are in a commit
        self._portion = _PORTION
        self._obstacle: str | None = None

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def is_full(self) -> bool:
        """Whether so many readings wait that no more should be read from the broker."""
        return self._readings > _MAX_READINGS

    def add(self, message: Message, taken: Taken) -> None:
        """Put the readings of a message into the next commit, or behind those that wait."""
        topic, _, mid, qos, retain, epoch = message
        self._waiting.append(Waiting(Message(topic, b"", mid, qos, retain, epoch), taken))
        self._readings += len(taken.drafts)
        if not self._is_scheduled and self._obstacle is None:
            self._is_scheduled = True
            self._loop.call_soon(self.tick)

    def on_connected(self, epoch: int, *, session_present: bool) -> None:
        """Drop the messages that the broker redelivers on this connection."""
        waiting, self._waiting = self._waiting, deque()
        for number, (message, taken) in enumerate(waiting):
            kept = held(message, epoch, session_present=session_present)
            if kept or number < self._committing:
                self._waiting.append(Waiting(kept or message, taken))
        self._readings = sum(len(one.taken.drafts) for one in self._waiting)

    def tick(self) -> None:
        """Append what waits, as far as the outbox has room; to be called once per second too."""
        self._is_scheduled = False
        passed = 0
        while self._waiting and not self._committing:
            count, drafts = self._next_portion()
            try:
                commit = self._outbox.append(drafts)
            except (OutboxFull, OutboxUnusable) as error:
                self._portion //= 2
                if count > 1:
                    continue
                self._hold(error)
                if len(drafts) <= _LARGE or passed == len(self._waiting):
                    return
                self._waiting.rotate(-1)  # there may be room for the others meanwhile
                passed += 1
            else:
                self._committing = count
                commit.add_done_callback(self._on_commit)

    async def commit_begun(self) -> None:
        """Return once nothing is in a commit."""
        while self._committing:  # noqa: ASYNC110  needed once, when the collector ends
            await asyncio.sleep(0.01)

    def _next_portion(self) -> tuple[int, list[Draft]]:
        """Return how many messages are next, at least one, and their readings."""
        drafts: list[Draft] = []
        count = 0
        for _, taken in self._waiting:
            if count and len(drafts) + len(taken.drafts) > self._portion:
                break
            drafts += taken.drafts
            count += 1
        return count, drafts

    def _on_commit(self, commit: Commit) -> None:
        count, self._committing = self._committing, 0
        if error := commit.exception():
            self._portion //= 2
            self._hold(error)
            return
        if self._obstacle is not None:
            logger.info("messages of devices are taken again")
            self._obstacle = None
        self._portion = min(2 * max(self._portion, 1), _PORTION)
        for _ in range(count):
            message, taken = self._waiting.popleft()
            self._readings -= len(taken.drafts)
            self._on_committed(message, taken)
        self.tick()

    def _hold(self, error: BaseException) -> None:
        if self._obstacle is None:
            logger.warning("messages of devices wait, unacknowledged: %s", error)
        self._obstacle = str(error)
