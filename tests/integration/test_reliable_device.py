"""The example for makers keeps its promise: all that it measured is stored, each once."""

import json
import runpy
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

from run.configuration import ROOT
from telemetry.timestamp import parse
from tests.device.mqtt_stub import MqttStub
from tests.integration.points import Points, points, wait_points
from tests.stack import Broker, Service, Stack, wait_for

EXAMPLES = ROOT / "docs" / "examples"
FASTER = """
import sys, reliable_device as example
example.MEASURE_S = 0.1
example.main(*sys.argv[1:])
"""
# Takes the broker's PUBACK for the answer, as most devices do.
HASTY = """
import reliable_device as example
class Hasty(example.Sender):
    def on_connect(self, client, *rest):
        client.on_publish = lambda *_: self.delete(self.ids)
        super().on_connect(client, *rest)
example.Sender = Hasty
"""
# In one transaction with each reading: what a kill keeps from the device is not in here either.
LEDGER = """
CREATE TABLE measured (reading TEXT);
CREATE TRIGGER measures AFTER INSERT ON readings
BEGIN INSERT INTO measured VALUES (new.reading); END;
"""


class Example(Service):
    """docs/examples/reliable_device.py with a ledger of what it measured."""

    def __init__(
        self, directory: Path, broker_port: int, program: str = FASTER, *, sensor: str = "oven"
    ) -> None:
        self.file = directory / "readings.db"
        argv = [sys.executable, "-c", program, "127.0.0.1", str(broker_port), sensor]
        environment = {"PYTHONPATH": str(EXAMPLES)}
        super().__init__("example", directory, [*argv, str(self.file)], environment)
        schema = runpy.run_path(str(EXAMPLES / "reliable_device.py"))["SCHEMA"]
        with closing(sqlite3.connect(self.file)) as connection:
            connection.executescript(f"{schema};{LEDGER}")

    def measured(self) -> Points:
        """Return everything that was measured."""
        return self._points("measured")

    def kept(self) -> Points:
        """Return what it has not let go of."""
        return self._points("readings")

    def measure(self, count: int) -> None:
        """Wait until it has measured so many more."""
        enough = len(self.measured()) + count
        wait_for(lambda: len(self.measured()) >= enough, what="measurements")

    def wait_answers(self) -> None:
        """Wait until it has let go of all that it measured until now, while it measures on."""
        measured = self.measured().keys()
        wait_for(lambda: not measured & self.kept().keys(), what="answers to everything")

    def _points(self, table: str) -> Points:
        with closing(sqlite3.connect(self.file)) as connection:
            rows = connection.execute(f"SELECT reading FROM {table}").fetchall()  # noqa: S608
        readings = [json.loads(text) for (text,) in rows]
        return {(one["type"], parse(one["ts"])): one["value"] for one in readings}


def lose_what_the_broker_has(stack: Stack, example: Example) -> None:
    """Kill the collector, and later the broker with everything that it keeps; start both."""
    stack.collector.kill()
    example.measure(5)
    stack.broker.kill()
    stack.broker.wipe()
    stack.start("broker", "collector")


def test_everything_that_it_measured_is_stored_whatever_is_killed(
    restartable: Stack, tmp_path: Path
) -> None:
    with Example(tmp_path, restartable.broker.port) as example:
        for part in (
            restartable.collector,
            restartable.broker,
            restartable.bridge,
            restartable.influx,
            example,
        ):
            example.measure(3)
            part.kill()
            if part is not example:
                example.measure(3)
            part.start()
            part.wait_ready()
        lose_what_the_broker_has(restartable, example)
        example.measure(3)
        example.wait_answers()
        example.kill()
    measured, kept = example.measured(), example.kept()
    stored = wait_points(restartable.influx, "oven", len(measured) - len(kept))
    assert measured.items() >= stored.items()
    assert stored.items() >= measured.items() - kept.items()


def test_control_a_device_that_trusts_the_puback_loses_readings(
    restartable: Stack, tmp_path: Path
) -> None:
    with Example(tmp_path, restartable.broker.port, HASTY + FASTER, sensor="grill") as example:
        wait_points(restartable.influx, "grill", 3)
        lose_what_the_broker_has(restartable, example)
        before = len(points(restartable.influx, "grill"))
        stored = wait_points(restartable.influx, "grill", before + 3)
    lost = example.measured().keys() - example.kept().keys() - stored.keys()
    assert len([one for one in lost if one < max(stored)]) >= 3, "what came later is stored already"


def test_of_a_refused_message_it_lets_go_of_the_bad_readings(
    broker: Broker, tmp_path: Path
) -> None:
    with (
        MqttStub(broker.port, 4100, [("refused", None)]) as stub,
        Example(tmp_path, broker.port, FASTER.replace("0.1", "0.01"), sensor="4100") as example,
    ):
        wait_for(lambda: len(stub.messages) >= 3, what="messages")
        example.wait_answers()
    refused, accepted, *_ = (message["readings"] for message in stub.messages)
    assert refused[1:] == accepted[: len(refused) - 1]
    assert refused[0] not in accepted
    assert "refused: [{'index': 0" in example.log_text()


def test_what_is_refused_for_now_it_sends_again(broker: Broker, tmp_path: Path) -> None:
    with (
        MqttStub(broker.port, 4101, []) as stub,
        Example(tmp_path, broker.port, sensor="4101") as example,
    ):
        stub.refuse_for_now("1")
        wait_for(lambda: len(stub.messages) >= 2, what="the message again")
        example.wait_answers()
    refused, again, *_ = stub.messages
    assert again == refused
