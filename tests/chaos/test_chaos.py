"""Each fault alone, then mixed: nothing acknowledged is lost, nothing else is there."""

import contextlib
import http.client
import random
import socket
import time

import pytest

from tests.chaos.broken import INSTANTS
from tests.chaos.devices import as_json
from tests.chaos.faults import PAIR_FAULTS, PAIRS, SERVICE_FAULTS, Fault
from tests.chaos.ledger import Verdict
from tests.chaos.load import post_once
from tests.chaos.rig import Rig
from tests.stack import Service, wait_for

SEED = 7
RATE = 400.0
STRIKE_S = 0.3
MIX_S = 15.0


def strike(rig: Rig, fault: Fault) -> None:
    """Let the fault last for a short while."""
    rig.acknowledged(30)
    heal = fault.strike(rig, random.Random(SEED))
    time.sleep(max(fault.seconds[0], min(fault.seconds[1], STRIKE_S)))
    heal()


def must_be_clean(rig: Rig) -> None:
    findings = rig.verdict()
    assert findings.clean, str(findings)


@pytest.mark.parametrize("fault", SERVICE_FAULTS, ids=lambda fault: fault.kind)
def test_nothing_is_lost_by(fault: Fault, rig: Rig) -> None:
    if fault.kind == "disk full" and not rig.disk:
        pytest.skip("only root has a disk to fill")
    with rig.load(RATE):
        strike(rig, fault)
        rig.acknowledged(30)
    must_be_clean(rig)


@pytest.mark.parametrize("instant", INSTANTS)
def test_nothing_is_lost_by_a_death_of_the(instant: str, rig: Rig) -> None:
    service = rig.service(instant.split(maxsplit=1)[0])
    with rig.load(RATE):
        rig.acknowledged(30)
        service.kill()
        rig.start_broken(service, instant, after=3)
        wait_for(lambda: not service.running, 10, f"death of the {instant}")
        service.start()
        rig.acknowledged(30)
    must_be_clean(rig)


@pytest.mark.parametrize("pair", PAIRS)
def test_nothing_is_lost_by_a_bad_connection(pair: str, rig: Rig) -> None:
    with rig.load(RATE):
        for fault in PAIR_FAULTS[pair]:
            strike(rig, fault)
    must_be_clean(rig)


@pytest.mark.parametrize("name", ["collector", "bridge"])
def test_nothing_is_lost_by_a_pause_beyond_the_keepalive(name: str, rig: Rig) -> None:
    service = rig.service(name)
    service.kill()
    rig.start_broken(service, "impatient")
    service.wait_ready()
    with rig.load(RATE):
        rig.acknowledged(30)
        wait_for(lambda: given_up(rig, service), 60, "given up by the broker")
        rig.acknowledged(30)
    must_be_clean(rig)


def given_up(rig: Rig, service: Service) -> bool:
    """Pause the service until the broker has given it up.

    Not if it was just between two connections: so impatient, it gives up a slow broker too.
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


def test_devices_that_repeat_themselves_with_clocks_that_step_back(rig: Rig) -> None:
    rig.devices.steps_back = 0.5
    with rig.load(RATE, twice=0.5):
        rig.acknowledged(2000)
    rig.devices.steps_back = 0.02
    must_be_clean(rig)


def test_whoever_waits_for_the_database_is_told_the_truth(rig: Rig) -> None:
    with rig.load(RATE, path="/data?ack=stored"):
        rig.acknowledged(30)
        rig.influx.kill()
        rig.acknowledged(30)  # 202: safe, though not stored
        rig.influx.start()
    must_be_clean(rig)


def test_a_full_disk_refuses_and_takes_again(rig: Rig) -> None:
    if not rig.disk:
        pytest.skip("only root has a disk to fill")
    rig.influx.kill()
    rig.disk.fill(leave=12 << 20)
    with rig.load(20_000):
        refused = rig.ledger.posts[Verdict.REFUSED]
        wait_for(lambda: rig.ledger.posts[Verdict.REFUSED] > refused + 1000, 30, "refused")
    rig.disk.free()
    with rig.load(RATE):
        rig.acknowledged(30)
        rig.influx.start()
    must_be_clean(rig)


def test_a_collector_that_starts_on_a_full_disk_refuses_and_takes_again(rig: Rig) -> None:
    if not rig.disk:
        pytest.skip("only root has a disk to fill")
    with rig.load(RATE):
        rig.acknowledged(100)
        rig.disk.fill()
        rig.collector.kill()
        rig.collector.start()
        rig.collector.wait_ready()
        refused = rig.ledger.posts[Verdict.REFUSED]
        wait_for(lambda: rig.ledger.posts[Verdict.REFUSED] > refused + 100, 30, "refused")
        rig.disk.free()
        rig.acknowledged(100)
    must_be_clean(rig)


@pytest.mark.parametrize("name", ["collector", "bridge"])
def test_a_service_ends_in_order_at_sigterm(name: str, rig: Rig) -> None:
    with rig.load(RATE):
        rig.acknowledged(30)
        assert rig.service(name).stop() == 0
        rig.service(name).start()
        rig.acknowledged(30)
    must_be_clean(rig)


def test_a_reading_beyond_retention_is_kept_aside_and_stored_once_it_may(rig: Rig) -> None:
    rejected = rig.books().rejected
    series = rig.ledger.series_of("old", "temp")
    old = rig.ledger.attempt(series, time.time_ns() - 400 * 86_400 * 10**9, 1.5)
    good = rig.ledger.attempt(series, time.time_ns(), 2.5)
    policy = 'ALTER RETENTION POLICY "autogen" ON "iot" DURATION'
    rig.influx.query(f"{policy} 30d")
    post = post_once(rig.device_side.port, rig.ledger, [old, good])
    assert rig.background.run(post, timeout=10) == 201
    wait_for(lambda: rig.books().rejected == rejected + 1, 10, "rejected")
    wait_for(lambda: listed(rig) == rejected + 1, 10, "in the outbox's file, too")
    rig.influx.query(f"{policy} INF")
    resent = rig.collector.command("rejected", "--resend")
    assert resent.returncode == (1 if rejected else 0), resent.stdout  # others stay rejected
    wait_for(lambda: rig.books().rejected == rejected, 10, "stored after all")
    must_be_clean(rig)


def test_a_request_under_way_at_sigterm_gets_a_definite_answer(rig: Rig) -> None:
    reading = rig.ledger.attempt(rig.ledger.series_of("last", "byte"), time.time_ns(), 1.0)
    body = as_json(reading).encode()
    head = "POST /data HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    request = f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body
    with socket.create_connection(("127.0.0.1", rig.collector.port), timeout=10) as device:
        device.sendall(request[:-1])
        assert rig.collector.is_ready()  # a request that came later was answered
        assert rig.collector.process
        rig.collector.process.terminate()
        wait_for(lambda: not listening(rig.collector.port), 5, "shutdown begun")
        device.sendall(request[-1:])
        answer = http.client.HTTPResponse(device)
        answer.begin()
    verdict = Verdict.ACKNOWLEDGED if answer.status == 201 else Verdict.REFUSED
    rig.ledger.settle([reading], verdict)
    assert rig.collector.stop() == 0
    rig.collector.start()
    must_be_clean(rig)


def listed(rig: Rig) -> int:
    """Return how many rejected readings the command shows: each with a line for the reason."""
    return len(rig.collector.command("rejected").stdout.splitlines()) // 2


def listening(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False
