"""mosquitto_sub, as any consumer beside the bridge."""

import json
from pathlib import Path
from typing import Any, NamedTuple

from tests.stack import Broker, Service, wait_for


class Heard(NamedTuple):
    """A message: its payload decoded, and whether it had been retained."""

    topic: str
    payload: Any
    retained: bool


class Subscriber(Service):
    """Listens on one topic; ready once the broker has confirmed it."""

    def __init__(self, directory: Path, broker: Broker, topic: str) -> None:
        options = ["-p", str(broker.port), "-q", "1", "-t", topic, "-F", "%j", "-d"]
        # stdbuf: otherwise its words stay in a buffer until the first message.
        super().__init__("subscriber", directory, ["stdbuf", "-oL", "mosquitto_sub", *options])

    def is_ready(self) -> bool:
        """Whether the subscription holds."""
        return "Subscribed (mid: 1)" in self.log_text()

    def heard(self) -> list[Heard]:
        """Return all messages until now, in their order."""
        lines = [line for line in self.log_text().splitlines(keepends=True) if line[0] == "{"]
        messages = [json.loads(line) for line in lines if line.endswith("\n")]
        return [Heard(m["topic"], _decoded(m["payload"]), bool(m["retain"])) for m in messages]

    def wait_heard(self, count: int = 1, timeout: float = 20) -> list[Heard]:
        """Wait for `count` messages and return all."""
        wait_for(lambda: len(self.heard()) >= count, timeout, f"{count} messages")
        return self.heard()

    def stop(self, timeout: float = 10.0) -> int:
        """End it at once: it has nothing to finish."""
        self.kill()
        return super().stop(timeout)


def _decoded(payload: str) -> Any:  # noqa: ANN401  any JSON, or text that is none
    try:
        return json.loads(payload)
    except ValueError:
        return payload
