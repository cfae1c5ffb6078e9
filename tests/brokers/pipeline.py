"""Another broker, InfluxDB, collector and bridge."""

from pathlib import Path

from tests.brokers.programs import Nats, RabbitMQ
from tests.metrics import counted_at
from tests.stack import Bridge, Collector, Influx


class Pipeline:
    """All four parts on ports of their own."""

    def __init__(self, directory: Path, kind: type[Nats | RabbitMQ]) -> None:
        self.broker = kind(directory / "broker")
        self.influx = Influx(directory / "influx")
        env = {"MQTT_BROKER": kind.kind, "HOME_ASSISTANT_PREFIX": "homeassistant"}
        mqtt, influx = self.broker.port, self.influx.port
        self.collector = Collector(
            directory / "collector", mqtt_port=mqtt, influx_port=influx, env=env
        )
        self.bridge = Bridge(
            directory / "bridge",
            mqtt_port=mqtt,
            influx_port=influx,
            env={"MQTT_BROKER": kind.kind},
        )

    def start(self) -> None:
        for part in (self.broker, self.influx, self.collector, self.bridge):
            part.start()
            part.wait_ready(60)

    def stop(self) -> None:
        for part in (self.bridge, self.collector, self.broker, self.influx):
            part.stop(30)

    def books(self) -> tuple[int, int, int, int]:
        """Return how many readings were accepted, and are stored, rejected and pending."""
        counters = counted_at(self.collector.url)
        names = ("accepted", "stored", "rejected", "pending")
        accepted, stored, rejected, pending = (counters[name] for name in names)
        return accepted, stored, rejected, pending
