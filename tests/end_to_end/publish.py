"""mosquitto_pub, as a device that speaks MQTT itself."""

import json
import subprocess

from tests.stack import Broker


def publish(broker: Broker, topic: str, payload: object, *options: str) -> None:
    """Publish `payload` (bytes as they are, whatever else as JSON), taken by the broker (QoS 1)."""
    content = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    argv = ["mosquitto_pub", "-p", str(broker.port), "-q", "1", "-t", topic, *options]
    argv += ["-s"] if content else ["-n"]
    subprocess.run(argv, input=content, check=True)
