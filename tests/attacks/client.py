"""An MQTT client that records what it is told, and waits for it."""

import contextlib
from pathlib import Path
from typing import Any, Self

from paho.mqtt.client import Client as Paho
from paho.mqtt.client import MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.reasoncodes import ReasonCode

from tests.service import wait_for


class Client:
    """Connects when it is made; `refused` is the broker's reason if it does not let it in."""

    def __init__(
        self, port: int, user: str, password: str, client_id: str = "", ca: Path | None = None
    ) -> None:
        """Connect to a port of this machine, with TLS if an authority is to be trusted."""
        self.refused: str | None = None
        self.messages: list[tuple[str, bytes]] = []
        self.losses = 0
        self._answers: list[Any] = []
        self._paho = Paho(
            CallbackAPIVersion.VERSION2, client_id=client_id, reconnect_on_failure=False
        )
        if user:
            self._paho.username_pw_set(user, password)
        if ca:
            self._paho.tls_set(str(ca))
        self._paho.on_connect = self._on_connect
        self._paho.on_disconnect = self._on_disconnect
        self._paho.on_message = self._on_message
        self._paho.on_subscribe = lambda *_: self._answers.append("suback")
        self._paho.connect("127.0.0.1", port)
        self._paho.loop_start()
        wait_for(lambda: "connack" in self._answers, what="CONNACK")

    def subscribe(self, *topics: str) -> Self:
        """Subscribe, and wait until the broker has taken note."""
        for topic in topics:
            done = self._answers.count("suback")
            self._paho.subscribe(topic, 1)
            wait_for(lambda: self._answers.count("suback") > done, what=f"SUBACK of {topic}")  # noqa: B023
        return self

    def publish(self, topic: str, payload: bytes | str, *, retain: bool = False) -> None:
        """Publish at QoS 1 and wait for the PUBACK, which comes also for what is not allowed."""
        self._paho.publish(topic, payload, 1, retain).wait_for_publish(10)

    def wait_message(self, topic: str, timeout: float = 10) -> bytes:
        """Wait for a message on a topic and return its payload."""
        return wait_for(lambda: next(iter(self.payloads(topic)), b""), timeout, topic)

    def payloads(self, topic: str) -> list[bytes]:
        return [payload for found, payload in self.messages if found == topic]

    def close(self) -> None:
        with contextlib.suppress(ValueError):  # it was never connected
            self._paho.disconnect()
        self._paho.loop_stop()
        del self._paho  # closes its sockets; the garbage collector might reach them first

    def _on_connect(
        self, _: Paho, __: object, ___: object, code: ReasonCode, *____: object
    ) -> None:
        self.refused = str(code) if code.is_failure else None
        self._answers.append("connack")

    def _on_disconnect(self, *_: object) -> None:
        self.losses += 1

    def _on_message(self, _: Paho, __: object, message: MQTTMessage) -> None:
        self.messages.append((message.topic, bytes(message.payload)))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
