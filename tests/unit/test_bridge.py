"""The bridge with a broker in memory: its statuses, its limits, its start and its end."""

import json
import os
import signal
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from telemetry.status import OFFLINE
from tests.unit.bridge_rig import COLLECTOR, LIMITS, STATUS, UNREADABLE, BridgeRig
from tests.unit.faulty_storage import REJECTED


@pytest.fixture
def rig() -> Iterator[BridgeRig]:
    with closing(BridgeRig()) as rig:
        yield rig


def counters(rig: BridgeRig) -> list[str]:
    """Return the written records of the services' counters, without those of this bridge."""
    records = [record for record in rig.storage.stored if record.startswith("counters,")]
    return [record for record in records if not record.startswith("counters,bridge,bridge ")]


def test_it_subscribes_with_a_will_and_without_a_session(rig: BridgeRig) -> None:
    assert rig.broker.will == (STATUS, OFFLINE)
    assert rig.broker.options["client_id"] == "bridge"
    assert rig.broker.options["clean_session"]
    assert rig.broker.roots == ("readings/", "replay/", "status/")
    assert rig.broker.options["host"] == "127.0.0.1"


def test_a_receipt_names_each_outcome_of_an_outbox_and_a_run(rig: BridgeRig) -> None:
    rig.connect()
    rig.hold()
    rig.send("good", COLLECTOR)
    for content, origin in (
        ("good", COLLECTOR),
        ("poison", COLLECTOR),
        ("good", ("outbox", "other")),
    ):
        rig.send(content, origin)
    rig.repair()
    found: dict[tuple[str, str], list[Any]] = {}
    for outbox, receipt in rig.receipts():
        rejected = [(rejection.seq, rejection.reason) for rejection in receipt.rejected]
        found.setdefault((outbox, receipt.run), []).extend([*receipt.stored, *rejected])
    assert found.keys() == {COLLECTOR, ("outbox", "other")}
    assert found["outbox", "other"] == [(4, 4)]
    assert sorted(found[COLLECTOR]) == [(1, 1), (2, 2), (3, REJECTED.detail)]


def test_of_the_copies_of_a_reading_that_is_set_aside_only_the_last_stays(rig: BridgeRig) -> None:
    rig.connect()
    number = rig.send("broken", COLLECTOR)
    first = list(rig.broker.session)
    rig.send_again(number)
    assert len(rig.broker.session) == len(first) == 1
    assert rig.broker.session != first
    rig.repair()
    rig.tick()
    assert rig.stored == {number}
    assert rig.broker.session == []


def test_the_status_says_whether_and_why_nothing_is_stored(rig: BridgeRig) -> None:
    rig.hold()
    rig.connect()
    waiting = (rig.status().state, rig.status().reason)
    assert waiting == ("waiting", "no answer yet from InfluxDB")
    rig.repair()
    assert (rig.status().state, rig.status().reason) == ("storing", None)
    rig.outage("x" * 2000)
    rig.send("good")
    reason = rig.status().reason
    assert rig.status().state == "waiting"
    assert reason is not None
    assert reason.startswith("InfluxDB: cannot create the database: xxx")
    assert len(reason) == 1000
    rig.repair()
    assert rig.status().state == "storing"


def test_a_storage_that_rejects_everything_is_refusing(
    rig: BridgeRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    rejected = REJECTED._replace(detail="x" * 2000)
    monkeypatch.setattr("tests.unit.faulty_storage.REJECTED", rejected)
    rig.connect()
    rig.send("good")
    for _ in range(9):
        rig.send("poison")
        rig.puback()
    assert rig.status().state == "storing"
    rig.send("poison")
    rig.puback()
    assert (rig.status().state, rig.status().reason) == ("refusing", "x" * 1000)
    rig.send("good")
    assert rig.status().state == "storing"


def test_what_is_rejected_or_unreadable_is_logged(
    rig: BridgeRig, caplog: pytest.LogCaptureFixture
) -> None:
    rig.connect()
    rig.send("poison")
    rig.send(UNREADABLE)
    assert f"rejected message on readings/123/temp: {REJECTED.detail}" in caplog.text
    assert "unreadable message on readings/123/temp: not JSON: unexpected" in caplog.text


def test_the_status_counts(rig: BridgeRig) -> None:
    rig.connect()
    for content in ["good"] * 3 + ["poison"] * 2 + [UNREADABLE] * 6 + ["broken"]:
        rig.send(content, COLLECTOR)
    rig.outage()
    rig.send("good")
    rig.hold()
    rig.send("good")
    rig.send(UNREADABLE)
    rig.tick()
    counted = rig.status().counters
    assert counted.pop("writes") == len(rig.storage.writes)
    assert counted.pop("write_failures") > 2
    assert min(counted.pop(name) for name in ("uptime_s", "loop_lag_ms", "write_ms")) >= 0
    assert counted == {
        "stored": 3,
        "rejected": 2,
        "unreadable": 7,
        "queue": 2,
        "set_aside": 1,
        "dead_letters_dropped": 5,  # of eight, three fit into the window
        "forwarded": 0,
        "not_forwarded": 0,
    }


def test_a_status_comes_regularly_and_only_with_a_connection(rig: BridgeRig) -> None:
    rig.tick()
    assert rig.published == []
    rig.connect()
    count = len(rig.published)
    assert count
    rig.tick()
    rig.tick()
    assert [topic for topic, _ in rig.published[count:]] == [STATUS] * 2


def test_the_counters_of_statuses_are_written_except_retained_ones(rig: BridgeRig) -> None:
    rig.connect()
    status = json.dumps({"state": "up", "counters": {"accepted": 5}}).encode()
    rig.broker.offer("status/collector/c", status)
    rig.broker.offer("status/collector/old", status, retain=True)
    rig.broker.offer("status/collector/idle", b'{"state":"up"}')
    rig.broker.offer("status/collector/odd", b"nonsense")
    rig.broker.offer("status/collector/d", status)
    rig.settle_down()
    assert [record.rpartition(" ")[0] for record in counters(rig)] == [
        'counters,collector,c {"accepted":5}',
        'counters,collector,d {"accepted":5}',
    ]
    assert rig.broker.session == []
    rig.tick()
    assert rig.status().counters["unreadable"] == 0


def test_a_retained_message_is_acknowledged_and_nothing_else(rig: BridgeRig) -> None:
    rig.connect()
    for payload in (b'{"value":1}', b"nonsense"):
        rig.broker.offer("readings/7/temp", payload, retain=True)
    rig.settle_down()
    assert rig.broker.session == []
    rig.tick()
    counters = rig.status().counters
    assert counters is not None
    assert (counters["stored"], counters["unreadable"]) == (0, 0)


def terminate(rig: BridgeRig) -> None:
    os.kill(os.getpid(), signal.SIGTERM)
    rig.settle_down()


def test_at_the_end_it_waits_until_the_broker_has_everything() -> None:
    with closing(BridgeRig(limits=LIMITS | {"bridge.service._DRAIN_S": 1000})) as rig:
        rig.connect()
        rig.send("good", COLLECTOR)
        terminate(rig)
        assert rig.broker.retained[STATUS] == OFFLINE
        assert not rig.running.done()
        rig.puback()
        assert rig.running.done()
        assert rig.storage.closed


@pytest.mark.parametrize("connected", [True, False])
def test_it_ends_without_the_broker_too(rig: BridgeRig, connected: bool) -> None:
    if connected:
        rig.connect()
    terminate(rig)
    assert rig.running.done()
    assert rig.storage.closed
