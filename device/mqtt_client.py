"""The collector by MQTT: its answer, or in a few words why there is none."""

import json
import secrets
import socket
import struct
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion

from device.addresses import Address, Addresses
from device.responses import ACCEPTED, OVERSIZED, REFUSED, Response, retry_after
from device.tls import Tls

TIMEOUT_S = 10.0
# The collector refuses a message of more than 64 KiB.
MAX_PAYLOAD = 65_000


class MqttClient:
    """Publishes to devices/`sensor_id` at the broker, and waits for the collector's answer.

    The network is served within `post` only: without a thread, nothing is sent later than its
    caller knows. Idle connections have no keep-alive therefore; `post` finds out if one is gone.
    """

    def __init__(  # noqa: PLR0913  the last three are keywords
        self,
        host: str,
        port: int,
        sensor_id: int,
        *,
        account: tuple[str, str] = ("", ""),
        tls: Tls | None = None,
        timeout: float = TIMEOUT_S,
    ) -> None:
        """Prepare to connect; `timeout` in seconds is for connection, message and answer.

        `account` is a user with a password. It sends from/ and receives to/ its own name, where the
        collector looks at what it may send; one without a name has the plain topics.
        """
        self._account = account
        self._tls = tls
        user = account[0]
        self._sends, self._receives = (f"from/{user}/", f"to/{user}/") if user else ("", "")
        self._addresses = Addresses(host, port)
        self._sensor_id = sensor_id
        self._timeout = timeout
        # Other simulators may have the same sensors, and see these answers.
        self._name = f"device-{secrets.token_hex(6)}"
        self._client: Client | None = None
        self._subscribed = False
        self._obstacle: str | None = None  # why the broker let it not connect or not subscribe
        self._readings: Sequence[str] = ()
        self._number = 0
        self._answer: Response | None = None

    def post(self, readings: Sequence[str]) -> Response:
        """Publish the readings in one message, and wait until the collector has answered.

        No failure raises: it is returned as a response without status.
        """
        if readings != self._readings:  # else an answer to what was sent before is one to this
            self._readings = list(readings)
            self._number += 1
        self._answer = None
        payload = f'{{"ref":"{self._ref}","readings":[{",".join(readings)}]}}'.encode()
        if len(payload) > MAX_PAYLOAD:
            return Response(OVERSIZED, f"{len(payload)} bytes; expected at most {MAX_PAYLOAD}")
        deadline = time.monotonic() + self._timeout
        try:
            return self._send(self._connected(deadline), payload, deadline)
        except (OSError, struct.error) as error:
            self._addresses.failed()
            self.close()
            return Response(None, self._reason(error))

    def close(self) -> None:
        """Close the connection; the next message opens another one."""
        if self._client is not None:
            self._client.disconnect()
        self._client = None

    @property
    def _ref(self) -> str:
        return f"{self._name}-{self._number}"

    def _send(self, client: Client, payload: bytes, deadline: float) -> Response:
        sent = client.publish(f"{self._sends}devices/{self._sensor_id}", payload, qos=1)
        try:
            self._serve(client, deadline, lambda: self._answer is not None)
        except TimeoutError:
            if not sent.is_published() or self._addresses.several:
                raise
            # The connection stays: what is late for this try is in time for the next one.
            return Response(None, f"no answer in {self._timeout:g} s, but the broker has it")
        assert self._answer is not None  # noqa: S101  for mypy
        return self._answer

    def _connected(self, deadline: float) -> Client:
        """Return a client that receives answers; raises OSError."""
        if self._client is not None and self._client.loop(0) != MQTTErrorCode.MQTT_ERR_SUCCESS:
            self.close()
        if self._client is None:
            self._client = self._addresses.connect(deadline - time.monotonic(), self._connect)
        return self._client

    def _connect(self, address: Address, seconds: float) -> Client:
        deadline = time.monotonic() + seconds
        # A new one each time: paho sends again what the last one left, which is done here.
        version = MQTTProtocolVersion.MQTTv311
        client = Client(CallbackAPIVersion.VERSION2, self._name, protocol=version)
        if self._account[0]:
            client.username_pw_set(*self._account)
        if self._tls is not None:
            client.tls_set_context(self._tls)
        client.connect_timeout = seconds
        client.on_connect = self._on_connect
        client.on_subscribe = self._on_subscribe
        client.on_message = self._on_message
        self._subscribed, self._obstacle = False, None
        client.on_socket_open = _send_at_once
        client.connect(*address, keepalive=0)
        self._serve(client, deadline, lambda: self._subscribed)
        return client

    def _serve(self, client: Client, deadline: float, is_done: Callable[[], bool]) -> None:
        """Send and receive until `is_done`; raises OSError when it will not be, or not in time."""
        while not is_done():
            remaining = deadline - time.monotonic()
            if remaining <= 0:
                raise TimeoutError
            result = client.loop(remaining)
            if self._obstacle is not None:
                raise ConnectionError(self._obstacle)
            if result != MQTTErrorCode.MQTT_ERR_SUCCESS:
                port = "the port of a broker" if self._tls else "a broker's port without TLS"
                raise ConnectionError(f"the connection was closed; is this {port}?")

    def _on_connect(self, client: Client, _data: Any, _flags: Any, code: Any, _: Any) -> None:  # noqa: ANN401  paho's
        if code.is_failure:
            self._obstacle = f"the broker refuses the connection: {code}".lower()
            return
        topics = (f"{self._receives}{kind}/{self._sensor_id}" for kind in (ACCEPTED, REFUSED))
        client.subscribe([(topic, 1) for topic in topics])

    def _on_subscribe(self, _client: Client, _data: Any, _mid: int, codes: Any, _: Any) -> None:  # noqa: ANN401  paho's
        self._subscribed = True
        if any(code.is_failure for code in codes):
            self._obstacle = "the broker refuses the subscription to the answers"

    def _on_message(self, _client: Client, _data: Any, message: MQTTMessage) -> None:  # noqa: ANN401  paho's
        try:
            answer = json.loads(message.payload)
        except (ValueError, RecursionError):
            return
        if not isinstance(answer, dict) or answer.get("ref") != self._ref:
            return
        kind = message.topic.removeprefix(self._receives).partition("/")[0]
        errors = json.dumps(answer.get("errors"), ensure_ascii=False) if kind == REFUSED else ""
        wait = retry_after(str(answer.get("retry_after")), datetime.now(UTC))
        # With a time to wait it is refused for now only, as by HTTP with 429.
        self._answer = Response(None if kind == REFUSED and wait else kind, errors, wait)

    def _reason(self, error: Exception) -> str:
        match error:
            case TimeoutError():
                return f"no answer in {self._timeout:g} s"
            case OSError(strerror=str(text)):
                return text.lower()
            case ConnectionError():
                return str(error)
            case _:
                return "the answer is not MQTT"


def _send_at_once(_client: Client, _data: Any, connection: Any) -> None:  # noqa: ANN401  paho's
    """Let no message wait for the TCP ACK of the PUBACK before it (Nagle's algorithm)."""
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
