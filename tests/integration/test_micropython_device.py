"""The example for boards, on CPython: what it measured is stored, each once and in order."""

import sys

from tests.integration.points import points, wait_points
from tests.stack import Service, Stack


def test_everything_that_it_measured_is_stored_although_broker_and_collector_are_killed(
    stack: Stack,
) -> None:
    argv = [sys.executable, "-m", "tests.integration.micropython", str(stack.broker.port)]
    with Service("board", stack.broker.directory, argv) as board:
        wait_points(stack.influx, "greenhouse", 3)
        stack.broker.kill()
        stack.start("broker")
        wait_points(stack.influx, "greenhouse", len(points(stack.influx, "greenhouse")) + 3)
        stack.collector.kill()
        stack.broker.kill()
        stack.broker.wipe()
        stack.start("broker", "collector")
        wait_points(stack.influx, "greenhouse", len(points(stack.influx, "greenhouse")) + 10)
        board.kill()
    stored = points(stack.influx, "greenhouse")
    values = [round(stored[one]) for one in sorted(stored)]
    assert values == list(range(1, len(values) + 1))
    assert "not sent" in board.log_text()
