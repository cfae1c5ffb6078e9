"""What the workers of a collector ask each other: each answers on a Unix socket."""

import asyncio
import contextlib
import os
import socket
import struct
from collections.abc import Callable

from collector.outbox.group_commit import OutboxBusy
from collector.parent import address
from telemetry.process import ServiceError

_ANSWER_S = 1.0
# One that gives no answer for 5 s is silent. That is counted in turns of the asker's event loop, so
# that a busy one does not take what it has not read yet for silence.
_TURNS, _TURN_S = 50, 0.1
_AGAIN_S = 0.2


class Peers:
    """All workers of a collector but one."""

    def __init__(
        self,
        listener: socket.socket | None = None,
        name: str = "",
        number: int = 1,
        count: int = 1,
    ) -> None:
        """Be number `number` of `count` with a common name; a single one needs no listener."""
        self.count = count
        self._listener = listener
        self._others = {
            other: address(name, other) for other in range(1, count + 1) if other != number
        }
        self._answers: dict[str, Callable[[], bytes]] = {}
        self._asked: dict[tuple[str, int], asyncio.Task[bytes | None]] = {}
        self._silent: set[tuple[str, int]] = set()

    def add_answer(self, question: str, answer: Callable[[], bytes]) -> None:
        """Tell the others `answer` when they ask the question, which is one word."""
        self._answers[question] = answer

    async def run(self) -> None:
        """Answer for ever."""
        async with contextlib.AsyncExitStack() as opened:
            if self._listener:
                server = await asyncio.start_unix_server(self._tell, sock=self._listener)
                await opened.enter_async_context(server)
            await asyncio.Event().wait()

    async def ask(self, question: str) -> dict[int, bytes | None]:
        """Return the answers of the others by their numbers; None for one that gives none in 1 s.

        Who asks meanwhile shares them, so that a crowd here is none there.
        """
        asked = {number: self._asking(question, number) for number in self._others}
        if asked:
            await asyncio.wait(asked.values(), timeout=_ANSWER_S)
        return {number: task.result() if task.done() else None for number, task in asked.items()}

    def is_silent(self, question: str, number: int) -> bool:
        """Return whether another one, when it was asked last, has said nothing for 5 s."""
        return (question, number) in self._silent

    def _asking(self, question: str, number: int) -> asyncio.Task[bytes | None]:
        key = question, number
        if key not in self._asked:
            task = asyncio.create_task(self._hear(question, number), name=f"ask {question}")
            task.add_done_callback(lambda _: self._asked.pop(key))
            self._asked[key] = task
        return self._asked[key]

    async def _hear(self, question: str, number: int) -> bytes | None:
        """Return what one says that may be busy, or not there yet; None if it is silent."""
        asking = asyncio.create_task(_insist(self._others[number], question))
        try:
            for _ in range(_TURNS):
                if (await asyncio.wait({asking}, timeout=_TURN_S))[0]:
                    self._silent.discard((question, number))
                    return asking.result()
        finally:
            asking.cancel()
        self._silent.add((question, number))
        return None

    async def _tell(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with (
            contextlib.suppress(OSError, ValueError, KeyError, OutboxBusy, ServiceError),
            contextlib.closing(writer),
        ):
            async with asyncio.timeout(_TURNS * _TURN_S):
                if _is_own(writer.get_extra_info("socket")):
                    question = (await reader.readline()).decode().rstrip()
                    writer.write(self._answers[question]())
                    await writer.drain()


def _is_own(connection: socket.socket) -> bool:
    """Return whether a process of the same user has connected."""
    told = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    _, user, _ = struct.unpack("3i", told)
    return bool(user == os.getuid())


async def _insist(name: str, question: str) -> bytes:
    """Return an answer as soon as there is one."""
    while True:
        with contextlib.suppress(OSError):
            if answer := await _ask(name, question):
                return answer
        await asyncio.sleep(_AGAIN_S)


async def _ask(name: str, question: str) -> bytes:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.setblocking(False)
        await asyncio.get_running_loop().sock_connect(connection, name)
        reader, writer = await asyncio.open_unix_connection(sock=connection)
        with contextlib.closing(writer):
            writer.write(question.encode() + b"\n")
            return await reader.read()
