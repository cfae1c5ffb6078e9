"""MQTT on the asyncio loop: what collector and bridge publish and receive with.

At least once in both directions, for as long as this process and the broker's session live:

- What was published and not acknowledged when the connection broke is sent again (with DUP) after
  the reconnect, before anything newer, and `on_puback` is called for it then, with the same id.
- What arrived and was not acknowledged comes again from the broker after the reconnect, with
  another epoch. An acknowledgement from an earlier epoch is dropped.

Nothing here is on disk: the record is the caller's.
"""

import asyncio
import logging
import random
import time
from collections.abc import Callable, Sequence

from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags
from paho.mqtt.reasoncodes import ReasonCode

from telemetry.buffered_socket import BufferedSocket
from telemetry.paho_client import LARGEST_PACKET, Message, PahoClient

__all__ = ["LARGEST_PACKET", "Message", "Mqtt", "NotConnected"]

logger = logging.getLogger(__name__)

# A silent broker is asked after one keepalive and given up after two.
KEEPALIVE_S = 5
HANDSHAKE_S = 10.0
CLOSE_S = 1.0
FIRST_DELAY_S = 0.1
LONGEST_DELAY_S = 5.0


class NotConnected(Exception):
    """A message was not taken, because there is no connection to the broker."""


class Mqtt:
    """One MQTT client (3.1.1, QoS 1), connected again for ever while `run()` runs.

    An instance belongs to one event loop. The callbacks run in it and must not block; whatever
    they raise ends `run()` with it. `on_connected` is called once the subscriptions hold, with
    whether the broker still had the session; what was queued in that may arrive before.
    `on_disconnected` is called once for each `on_connected`. `will` is a topic and a payload,
    retained.

    Subscriptions are made when the broker had no session, and on the first connection of the
    process also when it had: the session may stem from a version that subscribed to less, or from
    a process that died between CONNECT and SUBSCRIBE. Retained messages then come once more,
    marked `retain`.
    """

    def __init__(  # noqa: PLR0913  keywords all
        self,
        *,
        host: str,
        port: int,
        client_id: str,
        on_message: Callable[[Message], None],
        on_connected: Callable[[bool], None],
        on_disconnected: Callable[[], None],
        on_puback: Callable[[int], None],
        subscriptions: Sequence[str] = (),
        username: str = "",
        password: str = "",
        will: tuple[str, bytes] | None = None,
        clean_session: bool = False,
    ) -> None:
        self.connected = False
        self._paused = False
        self._address = f"{host}:{port}"
        self._host = host
        self._port = port
        self._subscriptions = [(topic, 1) for topic in subscriptions]
        self._subscribed = False
        self._session_present = False
        self._ready = False
        self._refusal = ""
        self._on_connected = on_connected
        self._on_disconnected = on_disconnected
        self._connection: BufferedSocket | None = None
        self._up: asyncio.Future[None]  # connected and subscribed
        self._down: asyncio.Future[str]  # why the connection ended
        self._client = PahoClient(
            client_id,
            clean_session=clean_session,
            on_arrival=on_message,
            on_puback=on_puback,
            on_handled=self._on_handled,
        )
        if username:
            self._client.username_pw_set(username, password)
        if will:
            self._client.will_set(*will, qos=1, retain=True)
        self._client.connect_async(host, port, KEEPALIVE_S)
        self._client.on_connect = self._on_connack
        self._client.on_subscribe = self._on_suback
        self._client.on_disconnect = self._on_disconnect

    @property
    def epoch(self) -> int:
        """Counts the connections; a message carries the one on which it arrived."""
        return self._client.epoch

    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> int:
        """Send a message at QoS 1; return its id, which `on_puback` gets once the broker has it.

        The window is the caller's: it must be far below the 65,535 ids there are.
        Raises NotConnected (the message is not taken) and ValueError: a topic with a wildcard, or
        topic and payload of more than LARGEST_PACKET - 4 bytes.
        """
        if not self.connected:
            raise NotConnected
        return self._client.publish_once(topic.encode(), payload, retain=retain)

    def ack(self, message: Message) -> None:
        """Acknowledge a message to the broker; nothing happens when it is from an earlier epoch."""
        if message.qos and message.epoch == self._client.epoch:
            self._client.acknowledge(message.mid)

    def pause(self) -> None:
        """Take no more messages from the broker, until `resume()` or the next connection.

        The broker's own limit does not do: as soon as the oldest message in flight is
        acknowledged, Mosquitto sends all that it has queued (its issue 2301).
        """
        if self._connection and not self._paused:
            self._paused = True
            self._connection.pause()

    def resume(self) -> None:
        """Take messages again."""
        if self._connection and self._paused:
            self._paused = False
            self._connection.resume()

    async def drain(self) -> None:
        """Wait until everything published is acknowledged; give it a timeout."""
        while self._client.unacknowledged:  # noqa: ASYNC110  needed once, when a service ends
            await asyncio.sleep(0.01)

    async def run(self) -> None:
        """Connect and stay connected, for ever. Cancelled, it takes leave of the broker.

        Raises only what a callback raised.
        """
        told = ""
        attempt = 0
        try:
            while True:
                reason = await self._connect()
                if not reason:
                    logger.info("connected to the MQTT broker at %s", self._address)
                    since = time.monotonic()
                    reason = await self._stay_connected()
                    told = ""
                    if time.monotonic() - since > LONGEST_DELAY_S:
                        attempt = 0
                if self._connection:
                    self._connection.abort()
                if reason != told:
                    logger.warning("waiting for the MQTT broker at %s: %s", self._address, reason)
                    told = reason
                await asyncio.sleep(delay(attempt))
                attempt += 1
        except asyncio.CancelledError:
            await self._take_leave()
            raise
        finally:
            if self._connection:
                self._connection.abort()

    async def _connect(self) -> str:
        """Return "" once connected and subscribed, else why not."""
        loop = asyncio.get_running_loop()
        self._up = loop.create_future()
        self._down = loop.create_future()
        self._ready = False
        self._refusal = ""
        self._paused = False
        try:
            async with asyncio.timeout(HANDSHAKE_S):
                _, self._connection = await loop.create_connection(
                    lambda: BufferedSocket(self._received, self._ended), self._host, self._port
                )
        except OSError as error:
            return error.strerror or str(error) or "no connection in time"
        self._client.start(self._connection)
        await asyncio.wait(
            (self._up, self._down, self._connection.gone),
            timeout=HANDSHAKE_S,
            return_when=asyncio.FIRST_COMPLETED,
        )
        if self._down.done():
            return self._down.result()
        if not self._up.done():
            return "no answer to CONNECT"
        return ""

    async def _stay_connected(self) -> str:
        """Keep the connection alive; return why it ended."""
        while not self._down.done():
            await asyncio.wait((self._down,), timeout=1)
            if not self._paused:  # or it would miss the broker's answers to its pings
                self._client.loop_misc()
        return self._down.result()

    async def _take_leave(self) -> None:
        self._client.disconnect()
        if self._connection:
            await asyncio.wait((self._connection.gone,), timeout=CLOSE_S)

    def _received(self, data: bytes) -> None:
        try:
            self._client.feed(data)
        except Exception as error:  # noqa: BLE001  run() raises it
            self._fail(error)

    def _ended(self) -> None:
        try:
            self._client.loop_read()  # finds the end, and calls on_disconnect
        except Exception as error:  # noqa: BLE001  run() raises it
            self._fail(error)

    def _fail(self, error: Exception) -> None:
        """End everything without a word to the broker, which then publishes the will."""
        self.connected = False
        if self._connection:
            self._connection.abort()
        if not self._down.done():
            self._down.set_exception(error)

    def _on_connack(
        self, _client: Client, _: object, flags: ConnectFlags, code: ReasonCode, *_rest: object
    ) -> None:
        if code.is_failure:
            self._refusal = f"refused: {code}"
        elif self._subscriptions and not (flags.session_present and self._subscribed):
            self._client.subscribe(self._subscriptions)
        else:
            self._ready = True
        self._session_present = flags.session_present

    def _on_suback(
        self, _client: Client, _: object, _mid: int, codes: list[ReasonCode], *_rest: object
    ) -> None:
        if any(code.is_failure for code in codes):
            topics = ", ".join(topic for topic, _ in self._subscriptions)
            self._refusal = f"refused: to subscribe to {topics}"
            self._client.disconnect()
        else:
            self._ready = self._subscribed = True

    def _on_handled(self) -> None:
        """Paho has handled a packet: the CONNACK with all that it sends again then, the SUBACK."""
        if self._ready and not self._up.done():
            self.connected = True
            self._on_connected(self._session_present)
            self._up.set_result(None)

    def _on_disconnect(
        self, _client: Client, _: object, _flags: DisconnectFlags, code: ReasonCode, *_rest: object
    ) -> None:
        if self.connected:
            self.connected = False
            self._on_disconnected()
        if not self._down.done():
            self._down.set_result(self._refusal or f"connection lost: {code}")


def delay(attempt: int) -> float:
    """Return how long to wait before the next attempt to connect, in seconds."""
    longest = min(LONGEST_DELAY_S, FIRST_DELAY_S * 2.0 ** min(attempt, 10))
    return longest * random.uniform(0.5, 1)  # noqa: S311  spreads load, hides nothing
