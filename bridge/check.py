"""`python -m bridge --check`: whether the running bridge is storing."""

import asyncio
import contextlib
import sys

import msgspec

from bridge.settings import Settings
from telemetry import topics
from telemetry.decode import Unreadable, boundary
from telemetry.mqtt import temporary_client
from telemetry.settings import SettingError, load
from telemetry.status import Status

_TIMEOUT_S = 3

_decode = boundary(msgspec.json.Decoder(Status).decode)


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
    """Return the status that the broker retains."""
    topic = topics.status("bridge", settings.bridge_id)
    async with temporary_client(settings.broker, topic) as temporary:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_TIMEOUT_S):
                message = await temporary.messages.get()
                try:
                    return _decode(message.payload)
                except Unreadable as unreadable:
                    return Status("unknown", f"unreadable status on the broker: {unreadable}")
    return Status("unknown", "no status on the broker")
