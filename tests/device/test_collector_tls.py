"""The simulator against a real collector that speaks HTTPS."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.certificates import Authority
from tests.device.process import Device
from tests.service import free_port, wait_for
from tests.stack import Broker, Collector

NAME = "iot.local"


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "authority")


@pytest.fixture
def collector(tmp_path: Path, broker: Broker, authority: Authority) -> Iterator[Collector]:
    tls = tmp_path / "tls"
    tls.mkdir()
    chain, key = authority.issue(NAME)
    chain.rename(tls / "server.crt")
    key.rename(tls / "server.key")
    settings = {
        "TLS": NAME,
        "TLS_DIR": str(tls),
        # As in a container: it listens everywhere, and takes readings without an identity.
        "COLLECTOR_HOST": "0.0.0.0",  # noqa: S104
        "BIND_ADDRESS": "127.0.0.1",
    }
    ports = {"mqtt_port": broker.port, "influx_port": free_port()}
    with Collector(tmp_path / "collector", **ports, env=settings) as collector:
        yield collector


def address_of_this_machine() -> str:
    """Return an address that is not loopback; skip the test where there is none."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # sends nothing
        except OSError:
            pytest.skip("no address but loopback")
        return str(probe.getsockname()[0])


def test_all_readings_are_accepted_although_the_collector_was_killed(
    tmp_path: Path, collector: Collector, authority: Authority
) -> None:
    options = ["--rate", "200", "--count", "400", "--batch", "5", "--tls"]
    trust = [NAME, "--tls-ca", str(authority.path)]
    with Device(tmp_path, collector.port, *options, *trust) as device:
        wait_for(lambda: "accepted, " in device.log_text(), what="the first readings")
        collector.kill()
        wait_for(lambda: "retrying in" in device.log_text(), what="the device to retry")
        collector.start()
        assert device.end(60) == 0, device.log_text()
    assert device.summary()["accepted"] == 400


def test_in_plain_text_readings_from_elsewhere_are_kept_and_the_reason_is_said(
    tmp_path: Path, collector: Collector
) -> None:
    with Device(tmp_path, collector.port, "-h", address_of_this_machine()) as device:
        said = "not accepted: this port speaks HTTPS: see --tls; "
        wait_for(lambda: said in device.log_text(), what="the reason")
        device.stop()
    assert device.summary()["accepted"] == device.summary()["refused"] == 0
    assert device.summary()["buffered"] >= 1


def test_in_plain_text_readings_of_this_machine_are_accepted(
    tmp_path: Path, collector: Collector
) -> None:
    with Device(tmp_path, collector.port, "--count", "2") as device:
        assert device.end() == 0, device.log_text()
