"""Which bridges the collector takes for present."""

import pytest

from collector.publishing.bridge_state import BridgeState
from telemetry.status import Status


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
