"""An MQTT client under test that notes whatever happens to it."""

import asyncio
import contextlib
import itertools
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import uvloop

from telemetry.mqtt import Message, MqttClient

LOOPS = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}

_numbers = itertools.count()


def name(prefix: str) -> str:
    """Return a client id or topic level that no other test has."""
    return f"{prefix}-{next(_numbers)}"


def run(scenario: Coroutine[Any, Any, None], loop: str = "uvloop") -> None:
    """Run a scenario on a loop of its own."""
    with asyncio.Runner(loop_factory=LOOPS[loop]) as runner:
        runner.run(scenario)


async def until(condition: Callable[[], object], timeout: float = 10.0) -> None:  # noqa: ASYNC109
    """Let the loop run until `condition` is true; AssertionError after `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, f"not within {timeout} s"
        await asyncio.sleep(0.005)


class Client:
    """Notes messages, acknowledged ids and connections; acknowledges only what it is told to."""

    def __init__(self, port: int, **options: Any) -> None:  # noqa: ANN401  MqttClient's own
        self.messages: list[Message] = []
        self.pubacks: list[int] = []
        self.sessions: list[bool] = []
        self.losses = 0
        settings = {
            "host": "127.0.0.1",
            "port": port,
            "client_id": name("client"),
            "on_message": self.messages.append,
            "on_puback": self.pubacks.append,
            "on_connected": self.sessions.append,
            "on_disconnected": self._lose,
        }
        self.mqtt = MqttClient(**{**settings, **options})

    def _lose(self) -> None:
        self.losses += 1

    def payloads(self) -> list[bytes]:
        """Return what arrived, in its order."""
        return [message.payload for message in self.messages]

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[asyncio.Task[None]]:
        """Run the client and wait until it is connected; then as `started`."""
        async with self.started() as task:
            await until(lambda: self.mqtt.connected or task.done())
            yield task

    @contextlib.asynccontextmanager
    async def started(self) -> AsyncIterator[asyncio.Task[None]]:
        """Run the client, be it connected or not; end it cleanly, or raise what ended it."""
        task = asyncio.create_task(self.mqtt.run())
        try:
            yield task
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
