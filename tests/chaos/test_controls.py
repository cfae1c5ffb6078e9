"""The checks of the newer faults fail when they have to."""

import random
import subprocess
import time
from collections import Counter

import pytest

from tests.chaos.checker import check
from tests.chaos.database_faults import drop_series
from tests.chaos.hanging import hanging_connections
from tests.chaos.ledger import Ledger, PostOutcome
from tests.chaos.mix import restart_the_dead
from tests.chaos.outbox_copy import Lost
from tests.chaos.rig import CONFLICTING_WEEK_NS, Rig
from tests.chaos.scenarios import check_memory, check_written, post, wait_drained

RNG = random.Random(7)
RATE = 400.0


def test_what_the_database_forgets_is_lost_while_nobody_stores_it_again(rig: Rig) -> None:
    with rig.load(RATE):
        rig.wait_acknowledged(100)
    rig.drain()
    for service in (rig.collector, rig.bridge):
        service.kill()
    drop_series(rig, RNG)
    assert check(rig.ledger, influx_port=rig.influx.port).counts["lost"] >= 100


def test_a_valid_reading_that_is_rejected_is_found(rig: Rig) -> None:
    series = rig.ledger.series_of("not known to be", "rejected")
    post(rig, [rig.ledger.attempt(series, CONFLICTING_WEEK_NS, 0.5)])
    findings = rig.check()
    assert findings.counts["lost"] == findings.counts["books"] == 1, str(findings)


def test_a_service_that_has_ended_is_found(rig: Rig) -> None:
    rig.bridge.kill()
    assert restart_the_dead(rig, {"bridge"}) == []
    with pytest.raises(AssertionError, match="has ended"):
        wait_drained(rig)
    assert len(restart_the_dead(rig, set())) == 1
    rig.bridge.kill()
    assert rig.check().counts == {"service failed": 1}


def test_too_much_memory_is_found(rig: Rig) -> None:
    with pytest.raises(AssertionError, match="MB"):
        check_memory(rig.bridge, 1.0)


def test_readings_that_stay_pending_are_found(rig: Rig) -> None:
    rig.influx.pause()
    with rig.load(RATE):
        rig.wait_acknowledged(30)
    with pytest.raises(AssertionError, match="nothing pending"):
        wait_drained(rig, timeout=0.1)
    assert rig.check().clean


def test_a_collector_that_has_no_descriptors_left_is_found(rig: Rig) -> None:
    subprocess.run(["prlimit", f"--pid={rig.collector.pid}", "--nofile=64"], check=True)
    with rig.load(RATE), pytest.raises(AssertionError, match="no response beside"):
        hanging_connections(rig, RNG)
    rig.collector.kill()


def test_a_refused_reading_that_is_written_three_times_is_found() -> None:
    check_written(Counter({b"a": 2, b"b": 1}), 2, "")
    with pytest.raises(AssertionError):
        check_written(Counter({b"a": 3, b"b": 1}), 2, "")
    with pytest.raises(AssertionError):
        check_written(Counter({b"a": 1}), 2, "")


def test_only_what_the_lost_outbox_alone_held_is_excused() -> None:
    ledger = Ledger()
    series = ledger.series_of(7, "temp")
    before, stored, lost, refused = (ledger.attempt(series, time.time_ns(), 1.0) for _ in range(4))
    ledger.record([before], PostOutcome.ACKNOWLEDGED)
    outbox = Lost(ledger)
    ledger.record([stored, lost], PostOutcome.ACKNOWLEDGED)
    ledger.record([refused], PostOutcome.REFUSED)
    assert outbox.give_up({(series.key, stored.time_ns)}) == [stored]
    assert [reading.outcome for reading in (before, stored, lost, refused)] == [
        PostOutcome.ACKNOWLEDGED,
        PostOutcome.ACKNOWLEDGED,
        PostOutcome.UNKNOWN,
        PostOutcome.REFUSED,
    ]
    assert ledger.posts[PostOutcome.ACKNOWLEDGED] == 1
    assert ledger.life == 1  # answers that are still on their way by MQTT count no more
