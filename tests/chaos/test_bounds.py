"""What must stay bounded however long a fault lasts."""

import json

from tests.chaos.ledger import Verdict
from tests.chaos.rig import Rig
from tests.stack import wait_for

READINGS = 20_000
CONNECTIONS = 6
# The broker's max_inflight_messages and one batch.
HELD = 15_000
AGAIN = 1_000_000  # bytes: most of the 10,000


def test_the_bridge_holds_once_what_each_connection_brings_again(rig: Rig) -> None:
    before = counter(rig, "stored")
    posted = rig.ledger.posts[Verdict.ACKNOWLEDGED]
    rig.influx.kill()
    with rig.load(READINGS):
        rig.acknowledged(READINGS)
    for _ in range(CONNECTIONS):
        rig.bridge_side.reset()
        wait_for(lambda: rig.bridge_side.passed("down") == 0, what="a reset")
        wait_for(lambda: rig.bridge_side.passed("down") > AGAIN, what="the same readings again")
    rig.influx.start()
    findings = rig.verdict()
    assert findings.clean, str(findings)
    posted = rig.ledger.posts[Verdict.ACKNOWLEDGED] - posted
    wait_for(lambda: counter(rig, "stored") >= before + posted, what="all stored")
    wait_for(lambda: counter(rig, "queue") == 0, what="the bridge idle")
    assert counter(rig, "stored") <= before + posted + HELD


def test_a_full_outbox_refuses_and_takes_again(rig: Rig) -> None:
    """The limit is below what the outbox holds already: that goes first, once it may."""
    with rig.load(READINGS):
        rig.acknowledged(READINGS // 2)
    rig.drain()
    rig.collector.stop()
    rig.collector.env["OUTBOX_MAX_BYTES"] = str(1 << 20)
    rig.influx.kill()
    rig.collector.start()
    refused = rig.ledger.posts[Verdict.REFUSED]
    with rig.load(READINGS):
        wait_for(lambda: rig.ledger.posts[Verdict.REFUSED] > refused + 500, 30, "refused")
        rig.influx.start()
        rig.acknowledged(1000)
    del rig.collector.env["OUTBOX_MAX_BYTES"]
    findings = rig.verdict()
    assert findings.clean, str(findings)


def counter(rig: Rig, name: str) -> int:
    """Return a counter of the bridge's latest status."""
    status = json.loads(rig.broker.retained("status/bridge/bridge"))
    return int(status["counters"][name])
