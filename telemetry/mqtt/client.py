"""MQTT on the asyncio loop, at least once in both directions.

For as long as the process and the broker's session live:
- A message that was published and not acknowledged when the connection broke is redelivered (with
  DUP) after the reconnect, before anything newer. `on_puback` then gets its old id. With a clean
  session it is forgotten.
- A message that arrived and was not acknowledged comes again from the broker after the reconnect,
  with another epoch. Acknowledgements from an earlier epoch are dropped.

Nothing is on disk: keeping a record is up to the caller.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence

from paho.mqtt.client import Client, DisconnectFlags
from paho.mqtt.reasoncodes import ReasonCode

from telemetry.backoff import Backoff
from telemetry.brokers import topic_fault
from telemetry.mqtt.buffered_socket import BufferedSocket, address
from telemetry.mqtt.errors import ConnectFailed, NotConnected, plain
from telemetry.mqtt.handshake import Handshake, unguessable
from telemetry.mqtt.paho_client import Message, PahoClient
from telemetry.tls import Tls

logger = logging.getLogger(__name__)

# A silent broker gets a ping after one keepalive; after two the connection is closed.
KEEPALIVE_S = 5
HANDSHAKE_S = 10.0
CLOSE_S = 1.0
FIRST_DELAY_S, LONGEST_DELAY_S = 0.1, 5.0


class MqttClient:
    """An MQTT 3.1.1 client at QoS 1 that reconnects for ever while `run()` runs.

    An instance belongs to one event loop. The callbacks run in it and must not block; `run()`
    raises what they raise. `on_connected` is called when the subscriptions are in place, with
    whether the broker still had the session; messages queued in the session may arrive earlier.
    `on_disconnected` is called once for each. `on_refused` gets the id of a message that `broker`,
    one of BROKERS, cannot carry, and why; without it `on_puback` gets the id. `will` is a topic and
    a payload, retained. `qos` is that of the subscriptions, 0 or 1.
    """

    _paho = PahoClient
    _rest_s = 0.0

    def __init__(  # noqa: PLR0913  all are keywords
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
        qos: int = 1,
        username: str = "",
        password: str = "",
        tls: Tls | None = None,
        will: tuple[str, bytes] | None = None,
        clean_session: bool = False,
        on_refused: Callable[[int, str], None] | None = None,
        broker: str = "mosquitto",
    ) -> None:
        self.connected = False
        self.obstacle: str | None = None  # why the last attempt failed, or the connection ended
        self._paused = False
        self._host, self._port, self._tls = host, port, tls
        self._address = address(host, port)
        self._name = client_id or "a guest"
        self._on_connected = on_connected
        self._on_disconnected = on_disconnected
        self._broker = broker
        self._on_refused = on_refused or (lambda mid, _: on_puback(mid))
        self._connection: BufferedSocket | None = None
        self._up: asyncio.Future[None]  # resolves when connected and subscribed
        self._down: asyncio.Future[str]  # resolves to the reason for the end of the connection
        self._client = self._paho(
            unguessable(client_id, password) if client_id and password else client_id,
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
        self._handshake = Handshake(self._client, client_id, subscriptions, qos)
        self._client.on_disconnect = self._on_disconnect

    @property
    def epoch(self) -> int:
        """The number of the current connection; a message carries that of its own."""
        return self._client.epoch

    @property
    def unacknowledged(self) -> int:
        """How many published messages the broker has not acknowledged."""
        return self._client.unacknowledged

    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> int:
        """Send a message at QoS 1; return its id, which `on_puback` gets on the PUBACK.

        The caller keeps the number of unacknowledged messages far below the 65,535 ids there are.
        Raises NotConnected (the message is not taken), and ValueError for a topic with a wildcard
        or when topic and payload have more than LARGEST_PACKET - 4 bytes.
        """
        if not self.connected:
            raise NotConnected
        if fault := topic_fault(self._broker, topic):
            mid = self._client.unused_id()
            asyncio.get_running_loop().call_soon(self._on_refused, mid, fault)
            return mid
        return self._client.publish_once(topic.encode(), payload, retain=retain)

    def ack(self, message: Message) -> None:
        """Acknowledge a message to the broker, unless it is from an earlier epoch."""
        if message.qos and message.epoch == self._client.epoch:
            self._client.acknowledge(message.mid)

    def pause(self) -> None:
        """Stop reading from the broker until `resume()` or the next connection.

        The broker's limit of messages in flight is not enough: as soon as the oldest of them is
        acknowledged, Mosquitto sends everything it has queued (its issue 2301).
        """
        if self._connection and not self._paused:
            self._paused = True
            self._connection.pause()

    def resume(self) -> None:
        """Read from the broker again."""
        if self._connection and self._paused:
            self._paused = False
            self._connection.resume()

    async def drain(self) -> None:
        """Wait until everything published is acknowledged; give it a timeout."""
        while self._client.unacknowledged:  # noqa: ASYNC110  needed once, when a service ends
            await asyncio.sleep(0.01)

    async def run(self) -> None:
        """Connect and stay connected, for ever. On cancellation, sends DISCONNECT.

        Raises only what a callback raised.
        """
        try:
            await self._reconnect_for_ever()
        except asyncio.CancelledError:
            self._client.disconnect()
            if self._connection:
                await asyncio.wait((self._connection.gone,), timeout=CLOSE_S)
            raise
        finally:
            self._abort()

    async def _reconnect_for_ever(self) -> None:
        backoff = Backoff(FIRST_DELAY_S, LONGEST_DELAY_S)
        while True:
            try:
                await self._connect()
            except ConnectFailed as failure:
                reason = str(failure)
            else:
                logger.info("connected to the MQTT broker at %s as %s", self._address, self._name)
                self.obstacle = None
                connected_at = time.monotonic()
                reason = await self._wait_disconnected()
                if time.monotonic() - connected_at > LONGEST_DELAY_S:
                    backoff.reset()
            self._abort()
            if reason != self.obstacle:
                logger.warning("waiting for the MQTT broker at %s: %s", self._address, reason)
                self.obstacle = reason
            await asyncio.sleep(backoff.next())

    async def _connect(self) -> None:
        """Connect and subscribe; raises ConnectFailed."""
        loop = asyncio.get_running_loop()
        self._up, self._down = loop.create_future(), loop.create_future()
        self._handshake.begin()
        self._paused = False
        try:
            async with asyncio.timeout(HANDSHAKE_S):
                self._connection = await BufferedSocket.open(
                    self._host, self._port, self._tls, self._on_data, self._on_eof
                )
        except OSError as error:
            raise ConnectFailed(plain(error, tls=self._tls is not None)) from None
        self._connection.rest_s = self._rest_s
        self._client.start(self._connection)
        handshake = (self._up, self._down, self._connection.gone)
        await asyncio.wait(handshake, timeout=HANDSHAKE_S, return_when=asyncio.FIRST_COMPLETED)
        if self._down.done():
            raise ConnectFailed(self._down.result())
        if not self._up.done():
            raise ConnectFailed("no answer to CONNECT")

    async def _wait_disconnected(self) -> str:
        """Keep the connection alive; return why it ended."""
        while not self._down.done():
            await asyncio.wait((self._down,), timeout=1)
            # While paused, paho would miss the answers to its own pings.
            (self._client.ping if self._paused else self._client.loop_misc)()
        return self._down.result()

    def _abort(self) -> None:
        if self._connection:
            self._connection.abort()

    def _on_data(self, data: bytes) -> None:
        self._handle(self._client.feed, data)

    def _on_eof(self) -> None:
        self._handshake.closed = True
        self._handle(self._client.loop_read)  # paho finds the end and calls on_disconnect

    def _handle(self, step: Callable[..., object], *data: bytes) -> None:
        try:
            step(*data)
        except Exception as error:  # noqa: BLE001  run() raises it
            self.connected = False
            self._abort()  # without DISCONNECT, so that the broker publishes the will
            if not self._down.done():
                self._down.set_exception(error)

    def _on_handled(self) -> None:
        """Paho has handled CONNACK, with all it then redelivers, or SUBACK, or another packet."""
        if self._handshake.complete and not self._up.done():
            self.connected = True
            self._on_connected(self._handshake.session_present)
            self._up.set_result(None)

    def _on_disconnect(
        self, _client: Client, _: object, _flags: DisconnectFlags, code: ReasonCode, *_rest: object
    ) -> None:
        if self.connected:
            self.connected = False
            self._on_disconnected()
        if not self._down.done():
            self._down.set_result(self._handshake.end(code))
