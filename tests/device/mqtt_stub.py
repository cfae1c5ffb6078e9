"""An MQTT client in place of the collector, which answers devices as a script says."""

import json
from typing import Any, Self

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion

from tests.service import wait_for


class MqttStub:
    """Answers each message on devices/`sensor_id` with the next of `script`, then with accepted.

    An item is a list of messages (kind and payload); a payload None stands for a valid answer with
    the message's own `ref`. `messages` are the payloads that arrived.
    """

    def __init__(self, port: int, sensor_id: int, *script: list[tuple[str, bytes | None]]) -> None:
        self.messages: list[dict[str, Any]] = []
        self._port = port
        self._sensor_id = sensor_id
        self._script = list(script)
        self._ready = False
        self._client = Client(CallbackAPIVersion.VERSION2)
        self._client.on_connect = self._on_connect
        self._client.on_subscribe = self._on_subscribe
        self._client.on_message = self._on_message

    @property
    def refs(self) -> list[str]:
        return [message["ref"] for message in self.messages]

    def answer(self, kind: str, ref: str) -> None:
        """Answer a message, perhaps once more."""
        rest = {"count": 1} if kind == "accepted" else {"errors": [{"index": 0, "detail": "bad"}]}
        self._publish(kind, json.dumps({"ref": ref, **rest}).encode())

    def refuse_for_now(self, retry_after: str) -> None:
        """Wait for a message without an answer, and refuse it with a time to wait, as JSON."""
        wait_for(lambda: self.messages, what="a message")
        answer = f'{{"ref":"{self.refs[-1]}","retry_after":{retry_after},"errors":[]}}'
        self._publish("refused", answer.encode())

    def __enter__(self) -> Self:
        self._client.connect("127.0.0.1", self._port)
        self._client.loop_start()
        wait_for(lambda: self._ready, what="the stub to be subscribed")
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()
        del self._client  # closes its sockets; the garbage collector might reach them first

    def _publish(self, kind: str, payload: bytes) -> None:
        self._client.publish(f"{kind}/{self._sensor_id}", payload, qos=1)

    def _on_connect(self, client: Client, *_: object) -> None:
        client.subscribe(f"devices/{self._sensor_id}", 1)

    def _on_subscribe(self, *_: object) -> None:
        self._ready = True

    def _on_message(self, _client: Client, _data: object, message: MQTTMessage) -> None:
        self.messages.append(json.loads(message.payload))
        for kind, payload in self._script.pop(0) if self._script else [("accepted", None)]:
            if payload is None:
                self.answer(kind, self.refs[-1])
            else:
                self._publish(kind, payload)
