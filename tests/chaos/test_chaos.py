"""Each fault alone: InfluxDB then holds every acknowledged reading and no other."""

import contextlib
import http.client
import random
import socket
import time

import pytest

from tests.chaos.broken import CRASH_POINTS
from tests.chaos.devices import as_json
from tests.chaos.fault import Fault
from tests.chaos.faults import DATABASE_FAULTS, PROXIES, PROXY_FAULTS, SERVICE_FAULTS, SERVICES
from tests.chaos.ledger import PostOutcome
from tests.chaos.load import post_once
from tests.chaos.rig import Rig
from tests.metrics import counted_at
from tests.stack import Service, wait_for

SEED = 7
RATE = 400.0
FAULT_S = 0.3
NO_DISK = "only root can mount a disk to fill"


def inject(rig: Rig, fault: Fault) -> None:
    rig.wait_acknowledged(30)
    heal = fault.inject(rig, random.Random(SEED))
    time.sleep(max(fault.seconds[0], min(fault.seconds[1], FAULT_S)))
    heal()


def assert_clean(rig: Rig) -> None:
    findings = rig.check()
    assert findings.clean, str(findings)


@pytest.mark.parametrize("fault", SERVICE_FAULTS + DATABASE_FAULTS, ids=lambda fault: fault.kind)
def test_nothing_is_lost_after(fault: Fault, rig: Rig) -> None:
    if fault.needs_disk and not rig.disk:
        pytest.skip(NO_DISK)
    with rig.load(RATE):
        inject(rig, fault)
        rig.wait_acknowledged(30)
    assert_clean(rig)


@pytest.mark.parametrize("kind", [f"SIGKILL {name}" for name in SERVICES] + ["broker wiped"])
def test_nothing_that_was_accepted_by_mqtt_is_lost_after(kind: str, rig: Rig) -> None:
    fault = next(fault for fault in SERVICE_FAULTS if fault.kind == kind)
    with rig.load(RATE), rig.mqtt_load(RATE):
        rig.wait_acknowledged(30, by_mqtt=True)
        inject(rig, fault)
        rig.wait_acknowledged(30, by_mqtt=True)
    assert_clean(rig)


@pytest.mark.parametrize("crash_point", CRASH_POINTS)
def test_nothing_is_lost_after_a_crash_of_the(crash_point: str, rig: Rig) -> None:
    service = rig.service(crash_point.split(maxsplit=1)[0])
    with rig.load(RATE):
        rig.wait_acknowledged(30)
        service.kill()
        rig.start_with_fault(service, crash_point, after=3)
        wait_for(lambda: not service.running, 10, f"crash of the {crash_point}")
        service.start()
        rig.wait_acknowledged(30)
    assert_clean(rig)


@pytest.mark.parametrize("proxy", PROXIES)
def test_nothing_is_lost_by_a_bad_connection_through(proxy: str, rig: Rig) -> None:
    with rig.load(RATE), rig.mqtt_load(RATE):
        for fault in PROXY_FAULTS[proxy]:
            inject(rig, fault)
        rig.wait_acknowledged(30, by_mqtt=True)
    assert_clean(rig)


@pytest.mark.parametrize("name", ["collector", "bridge"])
def test_nothing_is_lost_by_a_pause_longer_than_the_keepalive(name: str, rig: Rig) -> None:
    service = rig.service(name)
    service.kill()
    rig.start_with_fault(service, "short keepalive")
    service.wait_ready()
    with rig.load(RATE):
        rig.wait_acknowledged(30)
        wait_for(lambda: pause_until_disconnected(rig, service), 60, "disconnected by the broker")
        rig.wait_acknowledged(30)
    assert_clean(rig)


def pause_until_disconnected(rig: Rig, service: Service) -> bool:
    """Pause the service until the broker has closed its connection; return whether it has.

    It has not when the service was reconnecting: with a short keepalive a service gives up a slow
    broker, too.
    """
    service.wait_ready(timeout=30)
    before = len(rig.broker.log_text())
    service.pause()
    try:
        wait_for(lambda: "exceeded timeout" in rig.broker.log_text()[before:], 5)
    except AssertionError:
        return False
    finally:
        service.resume()
    return True


def test_repeated_posts_and_clocks_that_step_back_cause_no_violation(rig: Rig) -> None:
    rig.devices.clock_steps_back = 0.5
    with rig.load(RATE, repeat=0.5):
        rig.wait_acknowledged(2000)
    rig.devices.clock_steps_back = 0.02
    assert_clean(rig)


def test_ack_stored_acknowledges_nothing_that_is_lost(rig: Rig) -> None:
    with rig.load(RATE, path="/data?ack=stored"):
        rig.wait_acknowledged(30)
        rig.influx.kill()
        rig.wait_acknowledged(30)  # 202: accepted, not stored
        rig.influx.start()
    assert_clean(rig)


def test_readings_are_refused_while_the_disk_is_full(rig: Rig) -> None:
    if not rig.disk:
        pytest.skip(NO_DISK)
    rig.influx.kill()
    rig.disk.fill(leave=12 << 20)
    with rig.load(20_000):
        refused = rig.ledger.posts[PostOutcome.REFUSED]
        wait_for(lambda: rig.ledger.posts[PostOutcome.REFUSED] > refused + 1000, 30, "refused")
    rig.disk.free()
    with rig.load(RATE):
        rig.wait_acknowledged(30)
        rig.influx.start()
    assert_clean(rig)


def test_what_is_published_by_mqtt_waits_while_the_disk_is_full(rig: Rig) -> None:
    if not rig.disk:
        pytest.skip(NO_DISK)
    rig.influx.kill()
    rig.disk.fill(leave=9 << 20)
    with rig.mqtt_load(RATE):
        wait_for(lambda: waiting(rig) > 100, 30, "messages waiting for the outbox")
        rig.disk.free()
        rig.wait_acknowledged(100, by_mqtt=True)
        wait_for(lambda: not waiting(rig), what="none waiting")
        rig.influx.start()
    assert_clean(rig)


def test_a_collector_that_starts_on_a_full_disk_refuses_readings_until_there_is_space(
    rig: Rig,
) -> None:
    if not rig.disk:
        pytest.skip(NO_DISK)
    with rig.load(RATE):
        rig.wait_acknowledged(100)
        rig.disk.fill()
        rig.collector.kill()
        rig.collector.start()
        rig.collector.wait_ready()
        refused = rig.ledger.posts[PostOutcome.REFUSED]
        wait_for(lambda: rig.ledger.posts[PostOutcome.REFUSED] > refused + 100, 30, "refused")
        rig.disk.free()
        rig.wait_acknowledged(100)
    assert_clean(rig)


@pytest.mark.parametrize("name", ["collector", "bridge"])
def test_a_service_exits_with_0_on_sigterm(name: str, rig: Rig) -> None:
    with rig.load(RATE):
        rig.wait_acknowledged(30)
        assert rig.service(name).stop() == 0
        rig.service(name).start()
        rig.wait_acknowledged(30)
    assert_clean(rig)


def test_a_reading_older_than_the_retention_is_rejected_and_can_be_replayed(rig: Rig) -> None:
    rejected = rig.books().rejected
    series = rig.ledger.series_of("old", "temp")
    old = rig.ledger.attempt(series, time.time_ns() - 400 * 86_400 * 10**9, 1.5)
    good = rig.ledger.attempt(series, time.time_ns(), 2.5)
    policy = 'ALTER RETENTION POLICY "autogen" ON "iot" DURATION'
    rig.influx.query(f"{policy} 30d SHARD DURATION 7d")
    post = post_once(rig.device_proxy.port, rig.ledger, [old, good])
    assert rig.background.run(post, timeout=10) == 201
    wait_for(lambda: rig.books().rejected == rejected + 1, 10, "rejected")
    wait_for(lambda: listed(rig) == rejected + 1, 10, "rejected, in the outbox's file")
    rig.influx.query(f"{policy} INF SHARD DURATION 12w")
    replay = rig.collector.command("rejected", "--replay")
    assert replay.returncode == (1 if rejected else 0), replay.stdout  # others stay rejected
    wait_for(lambda: rig.books().rejected == rejected, 10, "stored")
    assert_clean(rig)


def test_an_unfinished_request_at_sigterm_gets_a_definite_response(rig: Rig) -> None:
    reading = rig.ledger.attempt(rig.ledger.series_of("last", "byte"), time.time_ns(), 1.0)
    body = as_json(reading).encode()
    head = "POST /data HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    request = f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body
    with socket.create_connection(("127.0.0.1", rig.collector.port), timeout=10) as device:
        device.sendall(request[:-1])
        assert rig.collector.is_ready()  # so the collector has read the bytes sent before
        assert rig.collector.process
        rig.collector.process.terminate()
        wait_for(lambda: not listening(rig.collector.port), 5, "no longer listening")
        device.sendall(request[-1:])
        response = http.client.HTTPResponse(device)
        response.begin()
    outcome = PostOutcome.ACKNOWLEDGED if response.status == 201 else PostOutcome.REFUSED
    rig.ledger.record([reading], outcome)
    assert rig.collector.stop() == 0
    rig.collector.start()
    assert_clean(rig)


def listed(rig: Rig) -> int:
    """Return how many readings of the outbox `rejected` lists."""
    return rig.collector.command("rejected", "--json").stdout.count('{"kind": "reading", ')


def waiting(rig: Rig) -> int:
    """Return how many messages of devices wait for the outbox."""
    return counted_at(rig.collector.url, timeout_s=10)["mqtt_waiting"]


def listening(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False
