"""Containers killed, stopped and robbed of their volume under load: the ledger finds no loss."""

import contextlib
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from docker import DockerClient

from tests.chaos.background import Background
from tests.chaos.checker import Findings, check
from tests.chaos.devices import Devices
from tests.chaos.ledger import Ledger, Reading, Verdict
from tests.chaos.load import Load
from tests.compose.images import Images
from tests.compose.program import output
from tests.compose.project import Project
from tests.service import wait_for

RATE = 300
OUTAGE_S = 60.0
DRAIN_S = 60.0
SIMULATOR = ("123", "temp")


@dataclass
class Siege:
    """A stack under load, and the ledger of what its devices were told."""

    stack: Project
    ledger: Ledger
    devices: Devices
    background: Background

    @contextlib.contextmanager
    def load(self) -> Iterator[None]:
        """Post RATE readings a second while the block runs."""
        load = Load(self.devices, port=self.stack.port("COLLECTOR_PORT"), rate=RATE)
        work = self.background.spawn(load.run())
        try:
            self.acknowledged(RATE)
            yield
            self.acknowledged(RATE)
        finally:
            self.background.loop.call_soon_threadsafe(load.stop)
            work.result(30)

    def acknowledged(self, more: int) -> None:
        """Wait until so many more readings are acknowledged."""
        goal = self.ledger.posts[Verdict.ACKNOWLEDGED] + more
        wait_for(
            lambda: self.ledger.posts[Verdict.ACKNOWLEDGED] >= goal, 30, f"{more} acknowledged"
        )

    def findings(self) -> Findings:
        """Wait until all is well and nothing pending, and compare."""
        self.stack.wait_healthy()
        wait_for(lambda: not self.stack.books().pending, DRAIN_S, "nothing pending")
        books = self.stack.books()
        assert books.accepted == books.stored + books.rejected
        assert books.rejected == 0
        return check(self.ledger, influx_port=self.stack.port("INFLUX_PORT"))


@pytest.fixture(scope="module")
def siege(new_project: Project) -> Iterator[Siege]:
    new_project.run("build")
    new_project.up()
    new_project.wait_healthy()
    ledger = Ledger()
    ledger.foreign.add(SIMULATOR)
    with Background() as background:
        yield Siege(new_project, ledger, Devices(ledger, random.Random()), background)


def kill(stack: Project, service: str) -> None:
    """Send SIGKILL to all that runs in a container, and wait until Docker has started it again.

    From the inside: a container that is killed by its name stays down, as `docker kill` means it.
    """
    restarts = stack.container(service).attrs["RestartCount"]
    stack.container(service).exec_run(["sh", "-c", "kill -9 -1"])
    wait_for(
        lambda: stack.container(service).attrs["RestartCount"] > restarts, 20, f"{service} restarts"
    )


@pytest.mark.parametrize("service", ["simulator", "collector", "broker", "bridge", "db"])
def test_a_killed_container_comes_back_and_nothing_is_lost(siege: Siege, service: str) -> None:
    with siege.load():
        kill(siege.stack, service)
    findings = siege.findings()
    assert findings.clean, findings


def test_the_database_away_for_a_minute_costs_nothing(
    siege: Siege, client: DockerClient, images: Images
) -> None:
    with siege.load():
        siege.stack.run("stop", "db")
        back = time.monotonic() + OUTAGE_S
        seen = output(
            client, images.names["broker"], "mosquitto_sub",
            "-h", "127.0.0.1", "-p", siege.stack.settings["MQTT_PORT"],
            "-t", "readings/#", "-R", "-C", "100", "-W", "10",
            network_mode="host",
        )  # fmt: skip
        assert len(seen.splitlines()) == 100, "live consumers go on"
        wait_for(lambda: time.monotonic() > back, OUTAGE_S + 1, "a minute")
        siege.stack.run("start", "db")
    findings = siege.findings()
    assert findings.clean, findings


def test_the_brokers_volume_holds_nothing_that_is_missed(siege: Siege) -> None:
    with siege.load():
        siege.stack.run("rm", "--stop", "--force", "broker")
        siege.stack.client.volumes.get(f"{siege.stack.name}_broker-data").remove()
        siege.stack.up()
    findings = siege.findings()
    assert findings.clean, findings


def test_a_single_point_taken_from_the_database_is_noticed(siege: Siege) -> None:
    victim: Reading = next(r for r in siege.ledger if r.verdict == Verdict.ACKNOWLEDGED)
    sensor_id, _ = victim.series.key
    siege.stack.query(
        f"DELETE FROM data WHERE sensor_id = '{sensor_id}' AND time = {victim.time_ns}"  # noqa: S608
    )
    assert siege.findings().counts == {"lost": 1}
