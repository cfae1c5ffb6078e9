"""Receipts that no bridge has sent, or not for the readings that now have these numbers."""

import json
import random
import re
import subprocess
from collections.abc import Iterator
from typing import NamedTuple

from tests.chaos.fault import Heal
from tests.chaos.mqtt_publisher import publication, publish
from tests.chaos.rig import Rig
from tests.service import wait_for

ID = re.compile(r'"id":"(\w+)(?:\.(\w+))?:(\d+)"')
WRONG_RUNS = ("0", "", "f" * 12, "../x", None, 7)
BEYOND = 10**6
"""A forged receipt also names this many readings that are yet to be accepted."""


class Identity(NamedTuple):
    """The names in a reading's id; `run` is empty where ids have none."""

    outbox: str
    run: str


def identity(rig: Rig) -> Identity:
    """Return the outbox and the run of the next reading that is published; there must be load."""
    argv = ["mosquitto_sub", "-p", str(rig.broker.port), "-t", "readings/#", "-R", "-C", "1"]

    def found() -> list[tuple[str, str, str]]:  # none, if another fault has stopped the broker
        received = subprocess.run([*argv, "-W", "20"], capture_output=True, check=False)
        return ID.findall(received.stdout.decode())

    ((outbox, run, _),) = wait_for(found, 60, "a reading that is published")
    return Identity(outbox, run)


def claims(last: int) -> Iterator[dict[str, object]]:
    """Yield receipts without a run that settle the readings up to `last`."""
    yield {"stored": [[1, last + BEYOND]], "rejected": []}
    yield {"stored": [], "rejected": [{"seq": last - n, "reason": "forged"} for n in range(20)]}


def forged(last: int) -> Iterator[bytes]:
    """Yield receipts with a wrong run, or none."""
    for claim in claims(last):
        yield json.dumps(claim).encode()
        for run in WRONG_RUNS:
            yield json.dumps({"run": run, **claim}).encode()


def forged_receipts(rig: Rig, _: random.Random) -> Heal:
    """Claim that readings are stored which have not even been published."""
    topic = f"receipts/{identity(rig).outbox}"
    rig.collector_proxy.cut()
    rig.wait_acknowledged(30)
    last = rig.books().accepted
    publish(rig.broker.port, (publication(topic, text, qos=1) for text in forged(last)))

    def heal() -> None:
        rig.collector_proxy.heal()
        publish(rig.broker.port, (publication(topic, text, qos=1) for text in forged(last)))

    return heal


def retained_receipts(rig: Rig, rng: random.Random) -> Heal:
    """Retain a receipt of the right run for readings that have not even been published.

    The broker has lost the collector's session, so the collector gets it marked as retained.
    """
    outbox, run = identity(rig)
    rig.collector_proxy.cut()
    rig.broker.kill()
    rig.broker.wipe()
    rig.wait_acknowledged(30)
    last = rig.books().accepted
    rig.broker.start()
    rig.broker.wait_ready()
    claim = rng.choice(list(claims(last)))
    receipt = json.dumps({"run": run, **claim} if run else claim).encode()
    packet = publication(f"receipts/{outbox}", receipt, qos=1, retain=True)
    publish(rig.broker.port, [packet])
    return rig.collector_proxy.heal
