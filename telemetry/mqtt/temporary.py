"""An MQTT client for one question: a clean session that ends with its context."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

from telemetry.mqtt.buffered_socket import address
from telemetry.mqtt.client import MqttClient
from telemetry.mqtt.paho_client import Message
from telemetry.process import ServiceError
from telemetry.settings import BrokerAccess


class BrokerUnreachable(ServiceError):
    """There is no connection to the broker; the text names its address and the reason."""


class TemporaryClient:
    """A client whose messages, already acknowledged, are in a queue."""

    def __init__(self, broker: BrokerAccess, subscriptions: Sequence[str], qos: int) -> None:
        self.messages: asyncio.Queue[Message] = asyncio.Queue()
        self.on_refused: Callable[[int, str], None] = lambda _mid, _reason: None
        """Gets the id of a message that the broker cannot carry, and why."""
        self._address = address(broker["host"], broker["port"])
        self._connected = asyncio.Event()
        self.client = MqttClient(
            **broker,
            client_id="",
            clean_session=True,
            subscriptions=subscriptions,
            qos=qos,
            on_message=self._on_message,
            on_connected=lambda _: self._connected.set(),
            on_disconnected=self._connected.clear,
            on_puback=lambda _: None,
            on_refused=lambda mid, why: self.on_refused(mid, why),  # noqa: PLW0108  may change
        )

    async def wait_connected(self) -> None:
        """Return once connected and subscribed; give it a timeout."""
        await self._connected.wait()

    @property
    def notice(self) -> str:
        """What it waits for; "" while it is connected, and before the first attempt has failed."""
        why = self.client.obstacle
        return f"waiting for the MQTT broker at {self._address}: {why}" if why else ""

    async def connect_within(self, seconds: float) -> None:
        """Return once connected and subscribed; raises BrokerUnreachable."""
        try:
            async with asyncio.timeout(seconds):
                await self.wait_connected()
        except TimeoutError:
            why = self.client.obstacle or f"no answer within {seconds:g} s"
            text = f"the MQTT broker at {self._address} cannot be reached: {why}"
            raise BrokerUnreachable(text) from None

    def _on_message(self, message: Message) -> None:
        self.client.ack(message)
        self.messages.put_nowait(message)


@asynccontextmanager
async def temporary_client(
    broker: BrokerAccess, *subscriptions: str, qos: int = 1
) -> AsyncIterator[TemporaryClient]:
    """Run a client in the background of the body, and disconnect it at the end.

    With `qos` 0 the broker keeps no message for it, and drops what it is too slow for.
    If the client fails, the body is cancelled and the failure raised.
    """
    temporary = TemporaryClient(broker, subscriptions, qos)
    try:
        async with asyncio.TaskGroup() as tasks:
            running = tasks.create_task(temporary.client.run(), name="mqtt")
            yield temporary
            running.cancel()
    except BaseExceptionGroup as group:  # the client's failure before the body's
        raise group.exceptions[0] from None
