"""What collectors and bridges say they could not take of the messages of MQTT devices."""

import asyncio
import contextlib
from typing import NamedTuple

from collector.settings import Settings
from telemetry import topics
from telemetry.decode import Unreadable
from telemetry.mqtt import Message, temporary_client
from telemetry.status import Letter, decode_status

_CONNECT_S = 5.0
# Retained statuses come at once, if there are any.
_LISTEN_S = 1.0
# Statuses are anybody's words: so many are heard, and so many letters of each are shown.
_MAX_SERVICES = 20
_MAX_LETTERS = 10


class Told(NamedTuple):
    """A dead letter, and which service told of it: its kind and its instance."""

    service: str
    instance: str
    letter: Letter


def dead_letters(settings: Settings) -> list[Told]:
    """Return the last dead letters of each service, the oldest first.

    Raises BrokerUnreachable.
    """
    return asyncio.run(_dead_letters(settings))


async def _dead_letters(settings: Settings) -> list[Told]:
    told: dict[str, list[Told]] = {}
    async with temporary_client(settings.broker, topics.status("+", "+")) as connection:
        await connection.connect_within(_CONNECT_S)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LISTEN_S):
                while True:
                    _hear(await connection.messages.get(), told)
    return [one for letters in told.values() for one in letters]


def _hear(message: Message, told: dict[str, list[Told]]) -> None:
    """Keep what a status tells, instead of what its service told before."""
    try:
        letters = decode_status(message.payload).dead_letters[-_MAX_LETTERS:]
    except Unreadable:
        return
    if message.topic in told or (letters and len(told) < _MAX_SERVICES):
        service, instance = topics.labels(message.topic)
        told[message.topic] = [Told(service, instance, letter) for letter in letters]
