"""mosquitto_pub as a device that speaks MQTT, and mosquitto_sub as a consumer."""

import json
import subprocess
from pathlib import Path
from typing import Any, NamedTuple

from tests.stack import Broker, Service, wait_for


def publish(broker: Broker, topic: str, payload: object, *options: str) -> None:
    """Publish at QoS 1, waiting for the PUBACK: bytes as they are, anything else as JSON."""
    content = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    argv = ["mosquitto_pub", "-p", str(broker.port), "-q", "1", "-t", topic, *options]
    argv += ["-s"] if content else ["-n"]
    subprocess.run(argv, input=content, check=True)


class Received(NamedTuple):
    """A message; its payload is decoded if it is JSON."""

    topic: str
    payload: Any
    retained: bool


class Subscriber(Service):
    """Subscribes to one topic filter; ready once the broker has acknowledged that."""

    def __init__(self, directory: Path, broker: Broker, topic: str) -> None:
        options = ["-p", str(broker.port), "-q", "1", "-t", topic, "-F", "%j", "-d"]
        # stdbuf: without it, output stays in a buffer until the first message.
        super().__init__("subscriber", directory, ["stdbuf", "-oL", "mosquitto_sub", *options])

    def is_ready(self) -> bool:
        return "Subscribed (mid: 1)" in self.log_text()

    def received(self) -> list[Received]:
        """Return all messages so far, in the order of their arrival."""
        lines = [line for line in self.log_text().splitlines(keepends=True) if line[0] == "{"]
        messages = [json.loads(line) for line in lines if line.endswith("\n")]
        return [Received(m["topic"], _decoded(m["payload"]), bool(m["retain"])) for m in messages]

    def wait_received(self, count: int = 1, timeout: float = 20) -> list[Received]:
        """Wait for `count` messages and return all."""
        wait_for(lambda: len(self.received()) >= count, timeout, f"{count} messages")
        return self.received()

    def stop(self, timeout: float = 10.0) -> int:
        """Kill it: it has nothing to finish."""
        self.kill()
        return super().stop(timeout)


def _decoded(payload: str) -> Any:  # noqa: ANN401  any JSON, or text that is none
    try:
        return json.loads(payload)
    except ValueError:
        return payload
