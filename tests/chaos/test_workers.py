"""Two workers, of which one is killed again and again, among other faults."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chaos.rig import Rig
from tests.stack import wait_for

SEED = 7
RATE = 400.0
ROUNDS = 3


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    """A rig whose collector has two workers."""
    rig = Rig(tmp_path, seed=SEED)
    rig.collector.env["COLLECTOR_WORKERS"] = "2"
    rig.devices.clock_steps_back = 0  # the last one of a point is known within one outbox only
    with rig:
        yield rig


def workers(rig: Rig) -> list[int]:
    pid = rig.collector.pid
    return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def test_nothing_is_lost_while_workers_are_killed(rig: Rig) -> None:
    with rig.load(RATE), rig.mqtt_load(RATE):
        for number in range(ROUNDS):
            wait_for(lambda: len(workers(rig)) == 2, what="two workers")
            if number:
                rig.broker.kill()
            os.kill(rig.rng.choice(workers(rig)), signal.SIGKILL)
            rig.wait_acknowledged(30)
            if number:
                rig.broker.start()
            rig.wait_acknowledged(30, by_mqtt=True)
    findings = rig.check()
    assert findings.clean, str(findings)
    assert rig.check_commands() == []
