"""The checker finds the readings that broken builds lose, and none with the real build."""

import contextlib

import pytest

from tests.chaos.broken import BROKEN_BUILDS
from tests.chaos.rig import Rig
from tests.stack import free_port, wait_for

RATE = 400.0


def keep_only_the_outbox(rig: Rig, build: str = "") -> None:
    """Post readings while InfluxDB is down, then kill all services and wipe the broker."""
    if build:
        service = rig.service(build.split(maxsplit=1)[0])
        service.kill()
        rig.start_with_fault(service, build)
        service.wait_ready()
    rig.influx.kill()
    with rig.load(RATE), rig.mqtt_load(RATE):
        rig.wait_acknowledged(400)
        rig.wait_acknowledged(200, by_mqtt=True)
    with contextlib.suppress(AssertionError):
        wait_for(lambda: not rig.books().pending, 1)
    for service in (rig.collector, rig.bridge, rig.broker):
        service.kill()
    rig.broker.wipe()
    for service in rig.services:
        service.start()


def test_nothing_is_lost_when_only_the_outbox_survives(rig: Rig) -> None:
    keep_only_the_outbox(rig)
    findings = rig.check()
    assert findings.clean, str(findings)


@pytest.mark.parametrize("build", BROKEN_BUILDS)
def test_the_checker_finds_lost_readings_of_a_broken_build(build: str, rig: Rig) -> None:
    # The auditor would find these readings, and replay them.
    rig.collector.env["INFLUX_PORT"] = str(free_port())
    if not build.startswith("collector"):
        rig.collector.kill()
        rig.collector.start()
        rig.collector.wait_ready()
    keep_only_the_outbox(rig, build)
    findings = rig.check()
    assert findings.counts["lost"] > 100, str(findings)
