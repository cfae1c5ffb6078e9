"""From CONNECT to SUBACK, and why a connection ended."""

import hashlib
from collections.abc import Sequence

from paho.mqtt.client import Client, ConnectFlags, MQTTMessage
from paho.mqtt.reasoncodes import ReasonCode

from telemetry.mqtt.paho_client import PahoClient

_DIGITS = 12


class Handshake:
    """Subscribes after CONNACK; knows when that is complete, or why the broker refused.

    It subscribes when the broker had no session, and on the first connection of the process: the
    session may come from a version that subscribed to less, or from a process that died between
    CONNECT and SUBSCRIBE. Retained messages then come again, marked `retain`.
    """

    def __init__(
        self, client: PahoClient, client_id: str, subscriptions: Sequence[str], qos: int
    ) -> None:
        self._client = client
        self._client_id = client_id
        self._subscriptions = [(topic, qos) for topic in subscriptions]
        self._subscribed = False
        self._answered = False
        self.complete = False
        self.session_present = False
        self.refusal: str | None = None
        self.closed = False
        """Whether the broker has closed the connection."""
        self._oldest: MQTTMessage | None = None
        """What was not acknowledged at the last end."""
        client.on_connect = self._on_connack
        client.on_subscribe = self._on_suback

    def begin(self) -> None:
        """Forget the previous connection."""
        self._answered = False
        self.complete = False
        self.refusal = None
        self.closed = False

    def end(self, code: ReasonCode) -> str:
        """Return why the connection ended; `code` is what paho knows."""
        before, self._oldest = self._oldest, self._client.oldest
        if self.refusal:
            return self.refusal
        if not self.closed:
            return f"connection lost: {code}"
        if not self._answered:
            return "the broker closed the connection without an answer; perhaps it expects TLS"
        if not self._client_id:
            return "the broker closed the connection"
        # Mosquitto does so without a word to MQTT 3.1.1 clients.
        other = f"another client has connected with the id {self._client_id!r}"
        reason = f"the broker closed the connection: it is ending, or {other}"
        if before and self._oldest and self._oldest.payload == before.payload:  # sent again
            return f"{reason}, or it cannot carry the topic {before.topic[:100]!r}: see MQTT_BROKER"
        return reason

    def _on_connack(
        self, _client: Client, _: object, flags: ConnectFlags, code: ReasonCode, *_rest: object
    ) -> None:
        self._answered = True
        self.session_present = flags.session_present
        if code.is_failure:
            self.refusal = f"refused: {code}"
        elif self._subscriptions and not (self.session_present and self._subscribed):
            self._client.subscribe(self._subscriptions)
        else:
            self.complete = True

    def _on_suback(
        self, _client: Client, _: object, _mid: int, codes: list[ReasonCode], *_rest: object
    ) -> None:
        if any(code.is_failure for code in codes):
            topics = ", ".join(topic for topic, _ in self._subscriptions)
            self.refusal = f"refused: to subscribe to {topics}"
            self._client.disconnect()
        else:
            self.complete = self._subscribed = True


def unguessable(client_id: str, password: str) -> str:
    """Return the id that the broker sees: who does not know it cannot take the session over."""
    digest = hashlib.sha256(f"{client_id}:{password}".encode()).hexdigest()
    return f"{client_id}-{digest[:_DIGITS]}"
