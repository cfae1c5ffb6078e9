"""The device needs nothing but Python: it runs with an interpreter that finds no packages."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.device.process import Device
from tests.device.stub import Reply, Stub
from tests.device.test_progress import run_on_terminal
from tests.service import free_port
from tests.stack import Broker, Collector

BARE = (sys.executable, "-S")
"""Without site-packages; the repository is found because it is the working directory."""


@pytest.mark.parametrize("package", ["tqdm", "urllib3", "msgspec"])
def test_control_the_interpreter_finds_no_packages(package: str) -> None:
    done = subprocess.run([*BARE, "-c", f"import {package}"], capture_output=True, check=False)
    assert b"ModuleNotFoundError" in done.stderr


def test_it_posts_to_the_stub_and_retries(tmp_path: Path) -> None:
    faults = (Reply(503), Reply(cut=True))
    with (
        Stub(*faults) as stub,
        Device(tmp_path, stub.port, "--count", "5", "--rate", "10", python=BARE) as device,
    ):
        assert device.end() == 0
    assert len(stub.accepted) == 5
    assert "-> 201 Created" in device.log_text()


def test_it_posts_to_the_collector(tmp_path: Path, broker: Broker) -> None:
    collector = Collector(tmp_path, mqtt_port=broker.port, influx_port=free_port())
    options = ["--sensor-id", "1000", "--count", "200", "--rate", "400", "--batch", "10"]
    with collector, Device(tmp_path, collector.port, *options, python=BARE) as device:
        assert device.end() == 0
    assert device.summary()["accepted"] == 200


def test_without_tqdm_a_terminal_shows_the_totals() -> None:
    with Stub() as stub:
        argv = [*BARE, "-m", "device", "-h", "127.0.0.1", "-p", str(stub.port)]
        shown = run_on_terminal([*argv, "--count", "300", "--rate", "100"])
    assert "%" not in shown
    assert shown.count(" readings in ") >= 3
