"""Which bridges the collector takes for present."""

import pytest

from collector.publishing.bridge_state import BridgeState
from telemetry.status import Status


def test_a_bridge_that_has_been_away_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    bridges = BridgeState()
    assert "other" not in bridges
    bridges.on_status("other", Status("storing"))
    assert "other" in bridges
    now += 7
    bridges.tick()
    assert "other" not in bridges


def test_invented_bridges_take_no_memory_without_end() -> None:
    bridges = BridgeState()
    for number in range(1000):
        bridges.on_status(f"invented {number}", Status("waiting"))
    assert "invented 99" in bridges
    assert "invented 100" not in bridges
