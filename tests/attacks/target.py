"""A pipeline that is attacked, and what its rightful owner can do there."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

import httpx

from tests.attacks.client import Client
from tests.service import wait_for


class Target(ABC):
    """A pipeline with two devices, `kitchen` and `garage`, each with the sensor of its name."""

    def __init__(self, ports: Mapping[str, int]) -> None:
        self.ports = ports
        self.url = f"http://127.0.0.1:{ports['COLLECTOR_PORT']}"
        self.influx_url = f"http://127.0.0.1:{ports['INFLUX_PORT']}"
        self.secrets: dict[str, str] = {}
        """Of the devices, by name."""

    @abstractmethod
    def secret(self, name: str) -> str:
        """Return a secret of the pipeline, such as `broker-bridge`."""

    @abstractmethod
    def command(self, *words: str) -> str:
        """Run ./pipeline with these words, and return what it prints."""

    @abstractmethod
    def traces(self) -> Mapping[str, bytes]:
        """Return what others than root may see, by where: logs, environments, processes …"""

    @abstractmethod
    def outbox(self) -> str:
        """Return the id of the collector's outbox."""

    def add_devices(self) -> None:
        """Give the devices their identities."""
        for name in ("kitchen", "garage"):
            self.secrets[name] = _secret(self.command("devices", "add", name, "--sensors", name))
        wait_for(lambda: self.lets_in("garage"), what="the broker to know the devices")

    def lets_in(self, name: str) -> bool:
        """Return whether the broker accepts a connection of a device."""
        with self.connect(name) as client:
            return client.refused is None

    def connect(self, name: str = "", password: str | None = None, **options: Any) -> Client:  # noqa: ANN401
        """Connect to the broker: as a device, with a service's account, or as nobody."""
        if password is None and name:
            password = self.secrets.get(name) or self.secret(f"broker-{name}")
        return Client(self.ports["MQTT_PORT"], name, password or "", **options)

    def post(self, sensor_id: str, name: str = "", **options: Any) -> httpx.Response:  # noqa: ANN401
        """Post a reading as a device, or as nobody."""
        reading = {"type": "temp", "value": 21.5, "sensor_id": sensor_id}
        headers = {"Authorization": f"Bearer {self.secrets[name]}"} if name else {}
        return httpx.post(f"{self.url}/data", json=reading, headers=headers, **options)


def _secret(printed: str) -> str:
    """Return the one word that can only be the secret."""
    (secret,) = (word for word in printed.split() if len(word) == 43)
    return secret
