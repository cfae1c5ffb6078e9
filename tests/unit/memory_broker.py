"""The bridge's MQTT client together with a broker, in memory; what is lost or late is on demand."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from telemetry.mqtt import Message, NotConnected

# How many messages the broker has in flight at once.
IN_FLIGHT = 12


@dataclass(eq=False)
class Packet:
    """A message that the broker has for the bridge; `sent` on this connection or not."""

    topic: str
    payload: bytes
    mid: int
    qos: int
    retain: bool
    sent: bool = False


class MemoryClient:
    """What the bridge uses of `MqttClient`.

    `on_ack` gets each packet that the bridge acknowledges, `on_publish` what it publishes, and
    `on_received` that again once the broker has acknowledged it.
    """

    def __init__(  # noqa: PLR0913  those of MqttClient, and three to watch it
        self,
        *,
        on_message: Callable[[Message], None],
        on_connected: Callable[[bool], None],
        on_disconnected: Callable[[], None],
        on_puback: Callable[[int], None],
        subscriptions: Sequence[str],
        will: tuple[str, bytes],
        on_ack: Callable[[Packet], None],
        on_publish: Callable[[str, bytes], None],
        on_received: Callable[[str, bytes], None],
        **options: object,
    ) -> None:
        self.will = will
        self.options = options
        self.connected = False
        self.paused = False
        self.epoch = 0
        self.session: list[Packet] = []
        """What is in flight, and then what is queued."""
        self.unanswered: dict[int, tuple[str, bytes]] = {}
        """What the bridge has published and the broker has not acknowledged, by its id."""
        self.retained: dict[str, bytes] = {}
        self._on_message, self._on_puback = on_message, on_puback
        self._on_connected, self._on_disconnected = on_connected, on_disconnected
        self._on_ack, self._on_publish, self._on_received = on_ack, on_publish, on_received
        self.roots = tuple(pattern.removesuffix("#") for pattern in subscriptions)
        """What the topics begin with that the session delivers."""
        self._clean = bool(options.get("clean_session"))
        self._mids = 0
        self._wake = asyncio.Event()

    @property
    def unacknowledged(self) -> int:
        return len(self.unanswered)

    async def run(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self.connected and not self.paused and (packet := self._next()):
                packet.sent = True
                if not packet.qos:
                    self.session.remove(packet)
                self._on_message(
                    Message(
                        packet.topic,
                        packet.payload,
                        packet.mid,
                        packet.qos,
                        packet.retain,
                        self.epoch,
                    )
                )

    def _next(self) -> Packet | None:
        return next((packet for packet in self.session[:IN_FLIGHT] if not packet.sent), None)

    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> int:
        if not self.connected:
            raise NotConnected
        self._on_publish(topic, payload)
        self._mids += 1
        self.unanswered[self._mids] = (topic, payload)
        if retain:
            self.retained[topic] = payload
        self.offer(topic, payload)
        return self._mids

    def ack(self, message: Message) -> None:
        if message.qos and message.epoch == self.epoch and self.connected:
            found = [packet for packet in self.session if packet.mid == message.mid]
            assert found, "acknowledged twice"
            self._on_ack(found[0])
            self.session.remove(found[0])
            self._wake.set()

    def pause(self) -> None:
        self.paused = True

    def resume(self) -> None:
        self.paused = False
        self._wake.set()

    async def drain(self) -> None:
        while self.unanswered:  # noqa: ASYNC110  as MqttClient does
            await asyncio.sleep(0)

    # The broker's side.

    def offer(self, topic: str, payload: bytes, qos: int = 1, *, retain: bool = False) -> None:
        """Let someone publish a message; without a connection a session keeps it at QoS 1."""
        if topic.startswith(self.roots) and (self.connected or (qos and not self._clean)):
            self._mids += 1
            self.session.append(Packet(topic, payload, self._mids if qos else 0, qos, retain))
            self._wake.set()

    def connect(self, *, session_present: bool = True) -> None:
        """Let the client connect; what is in flight comes again, unless the session is lost."""
        self.epoch += 1
        self.connected, self.paused = True, False
        session_present &= not self._clean
        if not session_present:
            self.session.clear()
        for packet in self.session:
            packet.sent = False
        self._wake.set()
        self._on_connected(session_present)

    def deliver_early(self) -> None:
        """Send what is queued on a connection that ends before SUBACK."""
        self.epoch += 1
        for packet in self.session:
            self._on_message(
                Message(
                    packet.topic, packet.payload, packet.mid, packet.qos, packet.retain, self.epoch
                )
            )

    def disconnect(self) -> None:
        self.connected = False
        self.session = [packet for packet in self.session if packet.qos and not self._clean]
        self._on_disconnected()

    def puback(self, count: int) -> None:
        """Acknowledge the first of what the bridge has published."""
        for mid in list(self.unanswered)[:count] if self.connected else ():
            self._on_received(*self.unanswered.pop(mid))
            self._on_puback(mid)
