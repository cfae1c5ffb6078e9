"""What the workers of a collector ask each other: each answers on a Unix socket."""

import asyncio
import contextlib
from collections.abc import Callable
from pathlib import Path

from collector.outbox.group_commit import OutboxBusy
from telemetry.process import ServiceError

_ANSWER_S = 1.0


class Peers:
    """All workers of a collector but one.

    Their sockets are in `directory`, which no other user can read: `1.sock`, `2.sock` and so on.
    """

    def __init__(self, directory: Path | None = None, number: int = 1, count: int = 1) -> None:
        """Be number `number` of `count`; a single one needs no directory."""
        self.count = count
        self._own = _socket(directory, number) if directory else None
        self._others = (
            {other: _socket(directory, other) for other in range(1, count + 1) if other != number}
            if directory
            else {}
        )
        self._answers: dict[str, Callable[[], bytes]] = {}
        self._asked: dict[str, asyncio.Task[dict[int, bytes | None]]] = {}

    def add_answer(self, question: str, answer: Callable[[], bytes]) -> None:
        """Tell the others `answer` when they ask the question, which is one word."""
        self._answers[question] = answer

    async def run(self) -> None:
        """Answer for ever; raises ServiceError if there can be no socket."""
        async with contextlib.AsyncExitStack() as opened:
            if self._own:
                await opened.enter_async_context(await self._listen(self._own))
            await asyncio.Event().wait()

    async def ask(self, question: str) -> dict[int, bytes | None]:
        """Return the answers of the others by their numbers; None for one that gives none in 1 s.

        Who asks meanwhile shares them, so that a crowd here is none there.
        """
        if question not in self._asked:
            asked = asyncio.create_task(self._ask_all(question), name=f"ask {question}")
            asked.add_done_callback(lambda _: self._asked.pop(question))
            self._asked[question] = asked
        return await asyncio.shield(self._asked[question])

    async def _listen(self, path: Path) -> asyncio.Server:
        try:
            return await asyncio.start_unix_server(self._tell, path)
        except OSError as error:
            raise ServiceError(f"workers cannot ask each other: {path}: {error}") from error

    async def _ask_all(self, question: str) -> dict[int, bytes | None]:
        answers = await asyncio.gather(*(_ask(path, question) for path in self._others.values()))
        return dict(zip(self._others, answers, strict=True))

    async def _tell(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with (
            contextlib.suppress(OSError, ValueError, KeyError, OutboxBusy, ServiceError),
            contextlib.closing(writer),
        ):
            async with asyncio.timeout(_ANSWER_S):
                question = (await reader.readline()).decode().rstrip()
                writer.write(self._answers[question]())
                await writer.drain()


def _socket(directory: Path, number: int) -> Path:
    return directory / f"{number}.sock"


async def _ask(path: Path, question: str) -> bytes | None:
    with contextlib.suppress(OSError):  # TimeoutError is one
        async with asyncio.timeout(_ANSWER_S):
            reader, writer = await asyncio.open_unix_connection(path)
            with contextlib.closing(writer):
                writer.write(question.encode() + b"\n")
                return await reader.read() or None
    return None
