"""The example for boards, on CPython: what it measured is stored, each once and in order."""

import sys
from pathlib import Path

from tests.integration.points import points, wait_points
from tests.stack import Service, Stack


def test_everything_that_it_measured_is_stored_although_broker_and_collector_are_killed(
    restartable: Stack, tmp_path: Path
) -> None:
    argv = [sys.executable, "-m", "tests.integration.micropython", str(restartable.broker.port)]
    with Service("board", tmp_path, argv) as board:
        wait_points(restartable.influx, "greenhouse", 3)
        restartable.broker.kill()
        restartable.start("broker")
        wait_points(
            restartable.influx, "greenhouse", len(points(restartable.influx, "greenhouse")) + 3
        )
        restartable.collector.kill()
        restartable.broker.kill()
        restartable.broker.wipe()
        restartable.start("broker", "collector")
        wait_points(
            restartable.influx, "greenhouse", len(points(restartable.influx, "greenhouse")) + 10
        )
        board.kill()
    stored = points(restartable.influx, "greenhouse")
    values = [round(stored[one]) for one in sorted(stored)]
    assert values == list(range(1, len(values) + 1))
    assert "not sent" in board.log_text()
