"""Bounds that hold however long a fault lasts."""

from tests.chaos.books import bridge_counter
from tests.chaos.ledger import PostOutcome
from tests.chaos.rig import Rig
from tests.stack import wait_for

READINGS = 20_000
CONNECTIONS = 6
# The broker's max_inflight_messages and one batch.
MOST_HELD = 15_000
REDELIVERED_BYTES = 1_000_000  # most of the 10,000 in flight


def test_redelivered_readings_do_not_accumulate_in_the_bridge(rig: Rig) -> None:
    before = bridge_counter(rig.broker, "stored")
    posted = rig.ledger.posts[PostOutcome.ACKNOWLEDGED]
    rig.influx.kill()
    with rig.load(READINGS):
        rig.wait_acknowledged(READINGS)
    for _ in range(CONNECTIONS):
        rig.bridge_proxy.reset()
        wait_for(lambda: rig.bridge_proxy.passed("down") == 0, what="reset")
        wait_for(lambda: rig.bridge_proxy.passed("down") > REDELIVERED_BYTES, what="redelivery")
    rig.influx.start()
    findings = rig.check()
    assert findings.clean, str(findings)
    posted = rig.ledger.posts[PostOutcome.ACKNOWLEDGED] - posted
    wait_for(lambda: bridge_counter(rig.broker, "stored") >= before + posted, what="all stored")
    wait_for(lambda: bridge_counter(rig.broker, "queue") == 0, what="bridge idle")
    assert bridge_counter(rig.broker, "stored") <= before + posted + MOST_HELD


def test_readings_are_refused_while_the_outbox_is_full(rig: Rig) -> None:
    """The outbox already holds more than the limit, so it must prune before it accepts again."""
    with rig.load(READINGS):
        rig.wait_acknowledged(READINGS // 2)
    rig.drain()
    rig.collector.stop()
    rig.collector.env["OUTBOX_MAX_BYTES"] = str(1 << 20)
    rig.influx.kill()
    rig.collector.start()
    refused = rig.ledger.posts[PostOutcome.REFUSED]
    with rig.load(READINGS):
        wait_for(lambda: rig.ledger.posts[PostOutcome.REFUSED] > refused + 500, 30, "refused")
        rig.influx.start()
        rig.wait_acknowledged(1000)
    del rig.collector.env["OUTBOX_MAX_BYTES"]
    findings = rig.check()
    assert findings.clean, str(findings)
