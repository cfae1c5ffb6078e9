"""An MQTT client under test that records all its callbacks."""

import asyncio
import contextlib
import itertools
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any, ClassVar

import uvloop

from telemetry.mqtt import Message, MqttClient
from telemetry.tls import Tls

LOOPS = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}

_numbers = itertools.count()


def name(prefix: str) -> str:
    """Return a client id or topic level that no other test uses."""
    return f"{prefix}-{next(_numbers)}"


def run(scenario: Coroutine[Any, Any, None], loop: str = "uvloop") -> None:
    """Run a scenario on a new event loop."""
    with asyncio.Runner(loop_factory=LOOPS[loop]) as runner:
        runner.run(scenario)


async def until(condition: Callable[[], object], timeout: float = 10.0) -> None:  # noqa: ASYNC109
    """Wait until `condition` is true; AssertionError after `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, f"not within {timeout} s"
        await asyncio.sleep(0.005)


class Client:
    """Records messages, PUBACKs and connections; acknowledges nothing by itself."""

    tls: ClassVar[Tls | None] = None
    """What all of them check, or none."""
    host: ClassVar[str] = "127.0.0.1"

    def __init__(self, port: int, **options: Any) -> None:  # noqa: ANN401  MqttClient's own
        self.messages: list[Message] = []
        self.pubacks: list[int] = []
        self.sessions: list[bool] = []
        self.losses = 0
        settings = {
            "host": self.host,
            "port": port,
            "tls": self.tls,
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
        return [message.payload for message in self.messages]

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[asyncio.Task[None]]:
        """As `started`, but wait until the client is connected."""
        async with self.started() as task:
            await until(lambda: self.mqtt.connected or task.done())
            yield task

    @contextlib.asynccontextmanager
    async def started(self) -> AsyncIterator[asyncio.Task[None]]:
        """Run the client; afterwards cancel it, or raise what ended it."""
        task = asyncio.create_task(self.mqtt.run())
        try:
            yield task
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
