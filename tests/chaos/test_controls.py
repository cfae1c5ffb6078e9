"""Builds that break the promise, and the honest one beside them: the checker tells them apart."""

import contextlib

import pytest

from tests.chaos.broken import BUILDS
from tests.chaos.rig import Rig
from tests.stack import wait_for

RATE = 400.0


def lose_all_but_the_disk(rig: Rig, build: str = "") -> None:
    """Let readings get as far as they can without InfluxDB; then kill all, and wipe the broker."""
    if build:
        service = rig.service(build.split(maxsplit=1)[0])
        service.kill()
        rig.start_broken(service, build)
        service.wait_ready()
    rig.influx.kill()
    with rig.load(RATE):
        rig.acknowledged(200)
    with contextlib.suppress(AssertionError):
        wait_for(lambda: not rig.books().pending, 1)
    for service in (rig.collector, rig.bridge, rig.broker):
        service.kill()
    rig.broker.wipe()
    for service in rig.services:
        service.start()


def test_nothing_is_lost_when_only_the_collectors_disk_survives(rig: Rig) -> None:
    lose_all_but_the_disk(rig)
    findings = rig.verdict()
    assert findings.clean, str(findings)


@pytest.mark.parametrize("build", BUILDS)
def test_a_build_that_breaks_the_promise_is_found_out(build: str, rig: Rig) -> None:
    lose_all_but_the_disk(rig, build)
    findings = rig.verdict()
    assert findings.counts["lost"] > 100, str(findings)
