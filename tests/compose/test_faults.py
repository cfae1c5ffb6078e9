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
from tests.chaos.ledger import Ledger, Reading, PostOutcome
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
class LoadedStack:
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
            self.wait_acknowledged(RATE)
            yield
            self.wait_acknowledged(RATE)
        finally:
            self.background.loop.call_soon_threadsafe(load.stop)
            work.result(30)

    def wait_acknowledged(self, more: int) -> None:
        """Wait until so many more readings are acknowledged."""
        goal = self.ledger.posts[PostOutcome.ACKNOWLEDGED] + more
        wait_for(
            lambda: self.ledger.posts[PostOutcome.ACKNOWLEDGED] >= goal, 30, f"{more} acknowledged"
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
def loaded_stack(new_project: Project) -> Iterator[LoadedStack]:
    new_project.run("build")
    new_project.up()
    new_project.wait_healthy()
    ledger = Ledger()
    ledger.ignored.add(SIMULATOR)
    with Background() as background:
        yield LoadedStack(new_project, ledger, Devices(ledger, random.Random()), background)


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
def test_a_killed_container_comes_back_and_nothing_is_lost(loaded_stack: LoadedStack, service: str) -> None:
    with loaded_stack.load():
        kill(loaded_stack.stack, service)
    findings = loaded_stack.findings()
    assert findings.clean, findings


def test_the_database_away_for_a_minute_costs_nothing(
    loaded_stack: LoadedStack, client: DockerClient, images: Images
) -> None:
    with loaded_stack.load():
        loaded_stack.stack.run("stop", "db")
        back = time.monotonic() + OUTAGE_S
        seen = output(
            client, images.names["broker"], "mosquitto_sub",
            "-h", "127.0.0.1", "-p", loaded_stack.stack.settings["MQTT_PORT"],
            "-t", "readings/#", "-R", "-C", "100", "-W", "10",
            network_mode="host",
        )  # fmt: skip
        assert len(seen.splitlines()) == 100, "live consumers go on"
        wait_for(lambda: time.monotonic() > back, OUTAGE_S + 1, "a minute")
        loaded_stack.stack.run("start", "db")
    findings = loaded_stack.findings()
    assert findings.clean, findings


def test_the_brokers_volume_holds_nothing_that_is_missed(loaded_stack: LoadedStack) -> None:
    with loaded_stack.load():
        loaded_stack.stack.run("rm", "--stop", "--force", "broker")
        loaded_stack.stack.client.volumes.get(f"{loaded_stack.stack.name}_broker-data").remove()
        loaded_stack.stack.up()
    findings = loaded_stack.findings()
    assert findings.clean, findings


def test_a_single_point_taken_from_the_database_is_noticed(loaded_stack: LoadedStack) -> None:
    victim: Reading = next(r for r in loaded_stack.ledger if r.outcome == PostOutcome.ACKNOWLEDGED)
    sensor_id, _ = victim.series.key
    loaded_stack.stack.query(
        f"DELETE FROM data WHERE sensor_id = '{sensor_id}' AND time = {victim.time_ns}"  # noqa: S608
    )
    assert loaded_stack.findings().counts == {"lost": 1}
