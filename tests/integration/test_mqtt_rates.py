"""RATE_LIMIT by MQTT, at a real broker: who is refused is told, and others are not slowed."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest

from tests.identities import give
from tests.integration.mosquitto_clients import Received, Subscriber, publish
from tests.integration.posting import client, metrics, problem, send
from tests.stack import Broker, Collector, wait_for

DEVICES = {"hall": ("hall-secret", ["kitchen"]), "cellar": ("cellar-secret", ["garage"])}
MANY = {f"t{number}": number for number in range(100)}  # at 1 per second paid for in 90 s


class Limited(NamedTuple):
    """A collector that takes 1 reading per second of each sender, and all that it publishes."""

    broker: Broker
    collector: Collector
    http: httpx.Client
    published: Subscriber

    def answer(self, ref: object) -> Received:
        """Wait for the one answer to a message."""

        def found() -> list[Received]:
            return [
                message
                for message in self.published.received()
                if message.topic.startswith(("to/", "accepted/", "refused/"))
                and message.payload["ref"] == ref
            ]

        (answer,) = wait_for(found, what=f"an answer to {ref}")
        return answer


@pytest.fixture
def limited(broker: Broker, tmp_path: Path) -> Iterator[Limited]:
    give(tmp_path / "accounts", DEVICES)
    collector = Collector(tmp_path, mqtt_port=broker.port, influx_port=1, env={"RATE_LIMIT": "1"})
    with contextlib.ExitStack() as stack:
        stack.enter_context(collector)
        http = stack.enter_context(client(collector))
        wait_for(lambda: http.get("/readyz").status_code == 200, what="its session")
        published = stack.enter_context(Subscriber(tmp_path, broker, "#"))
        yield Limited(broker, collector, http, published)


def about(topic: str, message: Received) -> bool:
    return message.topic.startswith("rejected/") and message.payload["topic"] == topic


def test_above_the_rate_a_message_is_refused_and_others_are_not(limited: Limited) -> None:
    topic = "from/hall/devices/kitchen"
    publish(limited.broker, topic, {**MANY, "ref": "many"})
    assert limited.answer("many").topic == "to/hall/accepted/kitchen"
    publish(limited.broker, topic, {"t": 1, "ref": "more"})
    refused = limited.answer("more")
    assert refused.topic == "to/hall/refused/kitchen"
    assert refused.payload["retry_after"] in range(60, 91)
    assert "1 readings per second (RATE_LIMIT)" in refused.payload["errors"][0]["detail"]
    wait_for(lambda: any(about(topic, one) for one in limited.published.received()))
    publish(limited.broker, "from/cellar/devices/garage", {"t": 1, "ref": "another"})
    assert limited.answer("another").topic == "to/cellar/accepted/garage"
    counted = metrics(limited.http)
    assert (counted["accepted"], counted["mqtt_refused"]) == (101, 1)


def test_http_and_mqtt_spend_from_one_rate(limited: Limited) -> None:
    readings = [{"type": type_, "value": 1, "sensor_id": "kitchen"} for type_ in MANY]
    hall, cellar = ({"Authorization": f"Bearer {DEVICES[name][0]}"} for name in DEVICES)
    assert send(limited.http, readings, headers=hall).status_code == 201
    publish(limited.broker, "devices/kitchen", {"t": 1, "ref": "by MQTT"})
    assert limited.answer("by MQTT").topic == "refused/kitchen"
    publish(limited.broker, "devices/garage", {**MANY, "ref": "garage"})
    assert limited.answer("garage").topic == "accepted/garage"
    reading = {"type": "t", "value": 1, "sensor_id": "garage"}
    problem(send(limited.http, reading, headers=cellar), 429)


def test_what_waited_for_a_collector_that_was_away_is_taken_whole(limited: Limited) -> None:
    limited.collector.stop()
    for number in range(20):
        publish(limited.broker, "devices/kitchen", {"t": number, "ref": number})
    limited.collector.start()
    limited.collector.wait_ready()
    assert {limited.answer(number).topic for number in range(20)} == {"accepted/kitchen"}
