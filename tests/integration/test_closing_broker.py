"""A broker that closes the connection at some topics, as NATS does at a space."""

from pathlib import Path

from tests.integration.client import name
from tests.integration.closing_proxy import ClosingProxy
from tests.integration.posting import client, send
from tests.metrics import counted_at
from tests.stack import Bridge, Broker, Collector, Influx, wait_for


def has_space(topic: str) -> bool:
    return " " in topic


def books(collector: Collector) -> tuple[int, int, int]:
    """Return how many readings are stored, rejected and pending."""
    counters = counted_at(collector.url)
    return counters["stored"], counters["rejected"], counters["pending"]


def test_with_its_kind_set_what_it_cannot_carry_is_rejected_and_all_else_stored(
    broker: Broker, influx: Influx, tmp_path: Path
) -> None:
    port, space, other = influx.port, f"{name('s')} x", name("s")
    readings = [{"type": "t", "value": 1, "sensor_id": sensor} for sensor in (space, other)]
    bridge = Bridge(tmp_path / "bridge", mqtt_port=broker.port, influx_port=port)
    with ClosingProxy(broker.port, has_space) as proxy, bridge:
        collector = Collector(tmp_path / "collector", mqtt_port=proxy.port, influx_port=port)
        with collector, client(collector) as http:
            for reading in readings * 3:
                assert send(http, reading).status_code == 201
            # Control: the lane is stuck, and the log says what may help.
            hint = f"cannot carry the topic 'readings/{space}/t': see MQTT_BROKER"
            wait_for(lambda: hint in collector.log_text() or None, 20)
            assert books(collector)[1] == 0
            assert books(collector)[2] >= 3
            collector.stop()
            collector.env["MQTT_BROKER"] = "nats"
            collector.start()
            collector.wait_ready()
            wait_for(lambda: books(collector) == (3, 3, 0) or None, 20)
            why = f"'{space}' must have no space, at which NATS closes the connection"
            wait_for(lambda: collector.command("rejected").stdout.count(why) == 3)
            collector.stop()
            proxy.refuses = lambda _: False
            del collector.env["MQTT_BROKER"]
            collector.start()
            collector.wait_ready()
            assert collector.command("rejected", "--replay").returncode == 0
            wait_for(lambda: books(collector) == (6, 0, 0) or None)
