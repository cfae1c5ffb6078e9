"""`python -m bridge --check`: whether the bridge that is running stores."""

import asyncio
import contextlib
import sys

import msgspec

from bridge.settings import Settings
from telemetry import topics
from telemetry.mqtt import Message, Mqtt
from telemetry.settings import SettingError, load
from telemetry.status import Status

_TIMEOUT_S = 3


async def check() -> int:
    """Return 0 when the bridge's status on the broker says that it is storing, else 1."""
    try:
        settings = load(Settings)
    except SettingError as error:
        sys.stderr.write(f"bridge: {error}\n")
        return 1
    loop = asyncio.get_running_loop()
    told: asyncio.Future[Status] = loop.create_future()

    def on_message(message: Message) -> None:
        if not told.done():
            told.set_result(msgspec.json.decode(message.payload, type=Status))

    mqtt = Mqtt(
        **settings.broker,
        client_id="",
        clean_session=True,
        subscriptions=[topics.status("bridge", settings.bridge_id)],
        on_message=on_message,
        on_connected=lambda _: None,
        on_disconnected=lambda: None,
        on_puback=lambda _: None,
    )
    running = asyncio.create_task(mqtt.run())
    status = Status("unknown", "no status on the broker")
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_TIMEOUT_S):
            status = await told
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running
    sys.stdout.write(f"{status.state} {status.reason}\n")
    return 0 if status.state == "storing" else 1
