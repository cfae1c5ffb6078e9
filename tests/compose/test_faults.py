"""Containers killed, stopped or without their volume: no acknowledged reading is lost."""

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
from tests.chaos.ledger import Ledger, PostOutcome, Reading
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
    """A stack, the devices that post to it, and their ledger."""

    stack: Project
    ledger: Ledger
    devices: Devices
    background: Background

    @contextlib.contextmanager
    def load(self) -> Iterator[None]:
        """Post RATE readings per second while the block runs."""
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
        """Wait until `more` readings are acknowledged from now on."""
        goal = self.ledger.posts[PostOutcome.ACKNOWLEDGED] + more
        wait_for(
            lambda: self.ledger.posts[PostOutcome.ACKNOWLEDGED] >= goal, 30, f"{more} acknowledged"
        )

    def findings(self) -> Findings:
        """Wait until all is healthy and nothing pending; compare InfluxDB with the ledger."""
        self.stack.wait_healthy()
        wait_for(lambda: not self.stack.books().pending, DRAIN_S, "nothing pending")
        books = self.stack.books()
        assert books.accepted == books.stored + books.rejected + books.pending
        assert books.rejected == 0
        account = f"bridge:{self.stack.secret('influx-bridge')}"
        return check(self.ledger, influx_port=self.stack.port("INFLUX_PORT"), account=account)


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
    """Send SIGKILL to all processes in a container and wait until Docker has restarted it.

    From the inside, because Docker does not restart a container after `docker kill`.
    """
    restarts = stack.container(service).attrs["RestartCount"]
    stack.container(service).exec_run(["sh", "-c", "kill -9 -1"])
    wait_for(
        lambda: stack.container(service).attrs["RestartCount"] > restarts, 20, f"{service} restarts"
    )


@pytest.mark.parametrize("service", ["simulator", "collector", "broker", "bridge", "db"])
def test_a_killed_container_restarts_and_nothing_is_lost(
    loaded_stack: LoadedStack, service: str
) -> None:
    with loaded_stack.load():
        kill(loaded_stack.stack, service)
    findings = loaded_stack.findings()
    assert findings.clean, findings


def test_nothing_is_lost_while_the_database_is_down_for_a_minute(
    loaded_stack: LoadedStack, client: DockerClient, images: Images
) -> None:
    with loaded_stack.load():
        loaded_stack.stack.run("stop", "db")
        end = time.monotonic() + OUTAGE_S
        seen = output(
            client, images.names["broker"], "mosquitto_sub",
            "-h", "127.0.0.1", "-p", loaded_stack.stack.settings["MQTT_PORT"],
            "-t", "readings/#", "-R", "-C", "100", "-W", "10",
            network_mode="host",
        )  # fmt: skip
        assert len(seen.splitlines()) == 100, "live consumers must go on receiving"
        wait_for(lambda: time.monotonic() > end, OUTAGE_S + 1, "a minute")
        loaded_stack.stack.run("start", "db")
    findings = loaded_stack.findings()
    assert findings.clean, findings


def test_nothing_is_lost_with_the_brokers_volume(loaded_stack: LoadedStack) -> None:
    with loaded_stack.load():
        loaded_stack.stack.run("rm", "--stop", "--force", "broker")
        loaded_stack.stack.client.volumes.get(f"{loaded_stack.stack.name}_broker-data").remove()
        loaded_stack.stack.up()
    findings = loaded_stack.findings()
    assert findings.clean, findings


def test_one_deleted_point_is_reported_as_lost(loaded_stack: LoadedStack) -> None:
    deleted: Reading = next(r for r in loaded_stack.ledger if r.outcome == PostOutcome.ACKNOWLEDGED)
    sensor_id, _ = deleted.series.key
    loaded_stack.stack.query(
        f"DELETE FROM data WHERE sensor_id = '{sensor_id}' AND time = {deleted.time_ns}"  # noqa: S608
    )
    assert loaded_stack.findings().counts == {"lost": 1}
