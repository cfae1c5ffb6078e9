"""What devices of known families publish is in InfluxDB after a kill of the collector."""

from tests.integration.mosquitto_clients import publish
from tests.integration.points import wait_points
from tests.stack import Stack

NOON = "2026-01-31T12:00:00"
NS = 1769860800_000000000


def test_a_message_of_each_kind_is_stored(pipeline: Stack, sensor: str) -> None:
    publish(pipeline.broker, f"tele/{sensor}/SENSOR", {"Time": NOON, "AM2301": {"Humidity": 58}})
    publish(pipeline.broker, f"zigbee2mqtt/{sensor}", {"contact": True, "last_seen": NOON + "Z"})
    publish(pipeline.broker, f"shellies/{sensor}/relay/0/power", 12.5)
    stored = wait_points(pipeline.influx, sensor, 3)
    assert stored["AM2301_Humidity", NS] == 58
    assert stored["contact", NS] == 1
    assert {type_: value for (type_, _), value in stored.items()}["relay_0_power"] == 12.5


def test_what_was_published_while_the_collector_was_killed_waits_for_it(
    restartable: Stack, sensor: str
) -> None:
    restartable.collector.kill()
    publish(restartable.broker, f"tele/{sensor}/SENSOR", {"Time": NOON, "AM2301": {"Humidity": 58}})
    restartable.start("collector")
    assert wait_points(restartable.influx, sensor) == {("AM2301_Humidity", NS): 58}
