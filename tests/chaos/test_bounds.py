"""Bounds that hold however long a fault lasts."""

from tests.chaos.books import bridge_counter
from tests.chaos.ledger import PostOutcome
from tests.chaos.rig import Rig
from tests.stack import wait_for

READINGS = 20_000
CONNECTIONS = 4
# The bridge's own bound, and what arrives before it has stopped reading.
MOST_HELD = 20_000 + 5_000


def test_readings_do_not_accumulate_in_a_bridge_that_reconnects(rig: Rig) -> None:
    rig.influx.kill()
    held = []
    with rig.load(3 * READINGS):
        for _ in range(CONNECTIONS):
            rig.wait_acknowledged(READINGS // 2)
            rig.bridge_proxy.reset()
            wait_for(lambda: rig.bridge_proxy.passed("down") == 0, what="reset")
            # Before its new status there is the last will, without counters.
            wait_for(lambda: b"queue" in rig.broker.retained("status/bridge/bridge"), what="status")
            held.append(bridge_counter(rig.broker, "queue"))
    assert max(held) > READINGS // 2, "so few are no test"
    assert max(held) <= MOST_HELD
    rig.influx.start()
    findings = rig.check()
    assert findings.clean, str(findings)


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
