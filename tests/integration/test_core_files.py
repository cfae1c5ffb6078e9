"""A service that crashes leaves no core file, which would hold its passwords."""

import resource
import sys
from pathlib import Path

import pytest

from tests.stack import Service, wait_for

_, MOST = resource.getrlimit(resource.RLIMIT_CORE)


def core_limits(pid: int) -> tuple[int, int]:
    """Return how large the core file of a process may be, now and if it asks for more."""
    return resource.prlimit(pid, resource.RLIMIT_CORE)


def started(directory: Path, *argv: str) -> Service:
    """Return a process that would leave a core file where it can."""
    allowing = ["prlimit", f"--core={MOST if MOST >= 0 else 'unlimited'}", "--"]
    environment = {"OUTBOX_PATH": str(directory / "outbox.db"), "COLLECTOR_PORT": "0"}
    environment |= {"MQTT_PORT": "1", "INFLUX_PORT": "1"}
    return Service("crashing", directory, [*allowing, *argv], environment)


@pytest.mark.skipif(not MOST, reason="these tests may leave no core file themselves")
@pytest.mark.parametrize("service", ["collector", "bridge"])
def test_a_service_leaves_no_core_file(tmp_path: Path, service: str) -> None:
    with started(tmp_path, sys.executable, "-m", service) as process:
        wait_for(lambda: core_limits(process.pid) == (0, 0))
        assert process.running


@pytest.mark.skipif(not MOST, reason="these tests may leave no core file themselves")
def test_control_another_process_would(tmp_path: Path) -> None:
    with started(tmp_path, "sleep", "60") as process:
        wait_for(lambda: Path(f"/proc/{process.pid}/comm").read_text() == "sleep\n")
        assert core_limits(process.pid) == (MOST, MOST)
