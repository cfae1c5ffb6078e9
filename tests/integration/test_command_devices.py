"""`devices`: what closes this machine to senders without an identity, and what opens it again."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.identities import give
from tests.integration.posting import client, problem, send
from tests.stack import Collector, wait_for

VALID = {"type": "temp", "value": 1, "sensor_id": 1}
Devices = Callable[..., tuple[int, str]]


@pytest.fixture
def collector(tmp_path: Path) -> Collector:
    """A collector that is not started, with the identity that everybody has."""
    give(tmp_path / "accounts", {"simulator": ("its-secret", ["*"])})
    return Collector(tmp_path, mqtt_port=1, influx_port=1)


@pytest.fixture
def devices(collector: Collector) -> Devices:
    """Runs the command; returns its exit code and what it says."""

    def run(*arguments: str) -> tuple[int, str]:
        done = collector.command("devices", *arguments)
        return done.returncode, done.stderr

    return run


def test_removing_the_last_device_does_not_open_the_machine_to_everybody(
    collector: Collector, devices: Devices
) -> None:
    with collector, client(collector) as http:
        assert send(http, VALID).status_code == 201
        assert devices("add", "kitchen", "--sensors", "kitchen")[0] == 0
        wait_for(lambda: send(http, VALID).status_code == 401, what="to be closed")
        code, said = devices("open")
        assert (code, "there are devices: kitchen; `devices remove`" in said) == (2, True)
        code, said = devices("remove", "kitchen")
        assert (code, "`devices open` lets anybody" in said) == (0, True)
        collector.stop()
        collector.start()  # which reads the file as it is now
        collector.wait_ready()
        problem(send(http, VALID), 401)
        code, said = devices("open")
        assert (code, "Anybody on this machine may send" in said) == (0, True)
        wait_for(lambda: send(http, VALID).status_code == 201, what="to be open")


def test_without_the_simulator_it_is_as_open_as_with_it(
    collector: Collector, devices: Devices
) -> None:
    assert devices("remove", "simulator") == (0, "")
    with collector, client(collector) as http:
        assert send(http, VALID).status_code == 201


def test_what_is_open_to_the_network_cannot_be_opened_to_everybody(tmp_path: Path) -> None:
    opened = Collector(tmp_path, mqtt_port=1, influx_port=1, env={"BIND_ADDRESS": "192.0.2.1"})
    done = opened.command("devices", "open")
    assert (done.returncode, "open to the network" in done.stderr) == (2, True)
