"""What the bridges say they could not store of the messages of MQTT devices."""

import asyncio
import contextlib

from collector.publishing.bridges import Bridges
from collector.settings import Settings
from telemetry import topics
from telemetry.mqtt import temporary_client
from telemetry.status import Letter

_CONNECT_S = 5.0
# Retained statuses come at once, if there are any.
_LISTEN_S = 1.0
# A bridge sends no more, but a status is anybody's words.
_MAX_LETTERS = 10


def dead_letters(settings: Settings) -> list[tuple[str, Letter]]:
    """Return the last dead letters of each bridge with its name, the oldest first.

    Raises BrokerUnreachable.
    """
    return asyncio.run(_dead_letters(settings))


async def _dead_letters(settings: Settings) -> list[tuple[str, Letter]]:
    bridges = Bridges()
    async with temporary_client(settings.broker, topics.status("bridge", "+")) as connection:
        await connection.connect_within(_CONNECT_S)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LISTEN_S):
                while True:
                    bridges.hear(await connection.messages.get())
    statuses = bridges.statuses.items()
    return [
        (bridge, letter)
        for bridge, status in statuses
        for letter in status.dead_letters[-_MAX_LETTERS:]
    ]
