"""Faults that take a sequence of steps of their own; each ends with the comparison of the rig.

A scenario raises AssertionError when something that it waits for does not happen, or when a bound
of its own is exceeded.
"""

import time
from collections import Counter
from collections.abc import Callable
from typing import NamedTuple

from tests.chaos.books import bridge_counter
from tests.chaos.checker import Findings
from tests.chaos.garbage import garbage
from tests.chaos.influx_stub import Slow
from tests.chaos.ledger import Reading
from tests.chaos.load import post_once
from tests.chaos.measured_stack import peak_mb
from tests.chaos.mqtt_publisher import publication, publish
from tests.chaos.outbox_copy import OutboxCopy
from tests.chaos.proxy import Kind, Toxic
from tests.chaos.rig import Rig
from tests.stack import Service, wait_for

RATE = 400.0
DAY_NS = 86_400 * 10**9
BRIDGE_MB = 150.0
READINGS_PER_POST = 1000
DRAIN_S = 60.0
MOST_WRITES = 2
"""How often a reading that InfluxDB refuses may be written."""
REFUSED = ("flood", "refused")
POLICY = 'ALTER RETENTION POLICY "autogen" ON "iot"'


class Size(NamedTuple):
    """How much of each a scenario takes."""

    flood: int  # messages at QoS 0
    refused: int  # readings that InfluxDB rejects, among as many good ones
    queued: int  # readings that wait for a slow database


SHORT = Size(flood=150_000, refused=2_000, queued=1_000)
FULL = Size(flood=400_000, refused=20_000, queued=5_000)

Scenario = Callable[[Rig, Size], str | None]
"""Returns what it measured, if anything."""


def wait_drained(rig: Rig, timeout: float = DRAIN_S) -> None:
    """Wait until nothing is pending; unlike the drain of a check, the fault stays."""

    def drained() -> bool:
        assert all(service.running for service in rig.services), "a service has ended"
        return not rig.books().pending

    wait_for(drained, timeout, "nothing pending")


def post(rig: Rig, readings: list[Reading]) -> None:
    """Post these readings in requests of up to 1,000."""
    for begin in range(0, len(readings), READINGS_PER_POST):
        request = readings[begin : begin + READINGS_PER_POST]
        work = post_once(rig.device_proxy.port, rig.ledger, request)
        assert rig.background.run(work, timeout=30) == 201


def check_memory(service: Service, most_mb: float) -> None:
    peak = peak_mb(service)
    assert peak <= most_mb, f"{service.name} has used {peak:.0f} MB"


def flood_at_qos_0(rig: Rig, size: Size) -> None:
    """One-byte messages on readings/a, as fast as the broker takes them, beside normal load."""
    flood = (publication("readings/a", b"x") for _ in range(size.flood))
    with rig.load(RATE):
        publish(rig.broker.port, flood)
        rig.wait_acknowledged(100)
    wait_drained(rig)
    check_memory(rig.bridge, BRIDGE_MB)


def refused_flood(rig: Rig, size: Size) -> str:
    """Readings beyond the retention policy, among as many good ones."""
    usual = settled_per_s(rig, size.refused, among_refused=False)
    rig.ledger.rejected.add(REFUSED)
    rig.influx.query(f"{POLICY} DURATION 30d SHARD DURATION 7d")
    rig.stub.counted = b"data,sensor_id=flood,type=refused "
    mixed = settled_per_s(rig, size.refused, among_refused=True)
    # A replay that is still on its way would be stored after the policy has changed.
    wait_for(lambda: bridge_counter(rig.broker, "queue") == 0, DRAIN_S, "bridge idle")
    rig.influx.query(f"{POLICY} DURATION INF SHARD DURATION 12w")
    most = max(rig.stub.written.values())
    average = rig.stub.written.total() / size.refused
    figures = (
        f"{usual:,.0f} good readings settled per second, {mixed:,.0f} among as many refused ones;"
        f" each of these was written {average:.1f} times, one {most} times"
    )
    check_written(rig.stub.written, size.refused, figures)
    return figures


def check_written(written: Counter[bytes], refused: int, figures: str) -> None:
    assert len(written) == refused, figures
    assert max(written.values()) <= MOST_WRITES, figures


def settled_per_s(rig: Rig, count: int, *, among_refused: bool) -> float:
    """Post this many good readings; return how many per second are settled, to the last."""
    good = rig.ledger.series_of("flood", "good")
    refused = rig.ledger.series_of(*REFUSED)
    readings = []
    for number in range(count):
        readings.append(rig.ledger.attempt(good, time.time_ns(), number / 7))
        if among_refused:
            readings.append(rig.ledger.attempt(refused, time.time_ns() - 400 * DAY_NS, 0.5))
    begin = time.monotonic()
    post(rig, readings)
    wait_drained(rig)
    return count / (time.monotonic() - begin)


def slow_database(rig: Rig, size: Size) -> None:
    """A write of more than 500 points takes longer than the bridge waits."""
    rig.bridge.stop()
    with rig.load(20 * RATE):
        rig.wait_acknowledged(size.queued)
    rig.stub.mode = Slow(points=500, seconds=12)
    rig.bridge.start()
    wait_drained(rig)


def scattered_timestamps(rig: Rig, _: Size) -> None:
    """Readings of 400 different weeks in one request, and a start of InfluxDB with them."""
    series = rig.ledger.series_of("scattered", "temp")
    readings = [rig.ledger.attempt(series, week * 7 * DAY_NS, 1.5) for week in range(400)]
    post(rig, readings)
    wait_drained(rig)
    rig.influx.kill()
    rig.influx.start()
    rig.influx.wait_ready()


def numbers_given_twice(rig: Rig, _: Size) -> None:
    """An outbox is restored while receipts name the numbers of new readings."""
    with rig.load(RATE):
        rig.wait_acknowledged(100)
        copy = OutboxCopy(rig)
        rig.collector_proxy.apply(Toxic(Kind.STALL), ("down",))  # the receipts wait at the broker
        stored = bridge_counter(rig.broker, "stored")
        rig.wait_acknowledged(500)
    wait_for(lambda: bridge_counter(rig.broker, "stored") >= stored + 500, what="stored")
    rig.collector_proxy.cut()
    copy.restore()
    rig.collector.start()
    rig.collector.wait_ready()
    with rig.load(RATE):
        rig.wait_acknowledged(500)  # not published, because the broker is cut off
    rig.collector_proxy.heal()


def starts_beside_garbage(rig: Rig, _: Size) -> None:
    """Each service starts while garbage is retained on all of its topics."""
    with rig.load(RATE):
        clear = garbage(rig, rig.rng)
        for service in (rig.collector, rig.bridge):
            assert service.stop() == 0
            service.start()
            rig.wait_acknowledged(30)
    wait_drained(rig)
    clear()


SCENARIOS: dict[str, Scenario] = {
    "flood at QoS 0": flood_at_qos_0,
    "refused flood": refused_flood,
    "slow database": slow_database,
    "numbers given twice": numbers_given_twice,
    "starts beside garbage": starts_beside_garbage,
    "scattered timestamps": scattered_timestamps,
}


def run(rig: Rig, scenario: Scenario, size: Size) -> Findings:
    """Run a scenario and return all that was violated."""
    findings, figures = Findings(), None
    unmet = []
    try:
        figures = scenario(rig, size)
    except AssertionError as error:
        unmet.append(str(error))
    try:
        findings = rig.check()
    except AssertionError as error:
        unmet.append(str(error))
    findings.figures = figures or ""
    for text in unmet:
        findings.add("unmet", text)
    rig.clean = findings.clean
    return findings
