"""Which bridges the collector takes for present."""

import pytest

from collector.publishing.bridge_state import BridgeState
from telemetry.status import Status
from tests.unit.publisher_model import PublisherRig


def test_a_bridge_without_a_recent_status_has_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    bridges = BridgeState()
    assert not bridges.is_storing("other")
    bridges.on_status("other", Status("storing"))
    assert bridges.is_storing("other")
    now += 7
    bridges.tick()
    assert not bridges.is_storing("other")


def test_invented_bridges_take_no_memory_without_end() -> None:
    bridges = BridgeState()
    bridges.on_status("bridge", Status("storing"))
    for number in range(100):
        assert bridges.storing
        bridges.on_status(f"invented {number}", Status("waiting"))
    assert not bridges.storing
    assert bridges.on_status("bridge", Status("storing")), "it is heard again"


def test_one_of_two_bridges_that_ceases_or_begins_may_leave_an_earlier_value() -> None:
    rig = PublisherRig()
    tell = rig.publisher.on_status
    tell("bridge", Status("storing"))
    assert tell("other", Status("storing"))
    assert not tell("other", Status("storing"))
    assert tell("other", Status("offline"))
    assert not tell("other", Status("offline"))
    assert not tell("bridge", Status("offline")), "nobody is there to be asked for replays"
    assert tell("bridge", Status("storing"))
    rig.close()
