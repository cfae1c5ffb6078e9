"""`python -m bridge --check`: whether the running bridge is storing."""

import asyncio
import contextlib
import sys

from bridge.settings import Settings
from telemetry import topics
from telemetry.decode import Unreadable
from telemetry.mqtt import temporary_client
from telemetry.settings import SettingError, load
from telemetry.status import Status, decode_status

# A status comes every 2 s, and sooner when the state changes.
_TIMEOUT_S = 5


def main() -> int:
    """Print the state of the bridge and its reason; return 0 if it is storing, else 1."""
    try:
        status = asyncio.run(_published_status(load(Settings)))
    except SettingError as error:
        sys.stderr.write(f"bridge: {error}\n")
        return 1
    sys.stdout.write(f"{status.state} {status.reason or ''}".rstrip() + "\n")
    return 0 if status.state == "storing" else 1


async def _published_status(settings: Settings) -> Status:
    """Return the next status that the bridge publishes.

    The one that the broker retains may be of a bridge that is no longer there.
    """
    topic = topics.status("bridge", settings.name)
    retained = "no bridge has ever published one"
    async with temporary_client(settings.broker, topic) as temporary:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_TIMEOUT_S):
                while True:
                    message = await temporary.messages.get()
                    status = _readable(message.payload)
                    if not message.retain or status.state == "offline":
                        return status
                    retained = f"the last one was {status.state!r}"

    return Status("unknown", f"no status within {_TIMEOUT_S} s; {retained}")


def _readable(payload: bytes) -> Status:
    try:
        return decode_status(payload)
    except Unreadable as unreadable:
        return Status("unknown", f"unreadable status on the broker: {unreadable}")
