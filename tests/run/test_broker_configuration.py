"""mosquitto/mosquitto.conf has the documented effect on the installed version of Mosquitto."""

import subprocess
from pathlib import Path

import pytest

from run.configuration import write_broker_configuration
from tests.stack import Broker, wait_for

LIMIT = 1 << 20


def publish(broker: Broker, size: int) -> int:
    """Publish one message of `size` bytes at QoS 1; return mosquitto_pub's exit code."""
    argv = ["mosquitto_pub", "-p", str(broker.port), "-q", "1", "-t", "readings/1/temp", "-s"]
    return subprocess.run(argv, input=b"x" * size, check=False).returncode


def test_the_configuration_file_has_no_errors(tmp_path: Path) -> None:
    with Broker(tmp_path) as broker:
        assert "Error" not in broker.log_text()
        assert "Unknown" not in broker.log_text()


def test_an_unknown_setting_stops_the_broker(tmp_path: Path) -> None:
    broker = Broker(tmp_path, settings="no_such_setting 1")
    broker.start()

    wait_for(lambda: not broker.running, what="the broker to exit")

    assert "no_such_setting" in broker.log_text()


def test_publishing_a_message_over_the_limit_fails(broker: Broker) -> None:
    assert publish(broker, LIMIT // 2) == 0
    assert publish(broker, LIMIT) != 0


def test_retained_messages_survive_a_restart_until_they_are_wiped(tmp_path: Path) -> None:
    broker = Broker(tmp_path)
    with broker:
        argv = ["mosquitto_pub", "-p", str(broker.port), "-q", "1", "-r", "-t", "a", "-m", "kept"]
        subprocess.run(argv, check=True)
    with broker:
        assert broker.retained("a") == b"kept"
    broker.wipe()
    with broker:
        assert broker.retained("a") == b""


@pytest.mark.parametrize("place", ["lib", "lib/x86_64-linux-gnu/mosquitto", None])
def test_the_state_is_kept_by_the_plugin_where_the_broker_has_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str | None
) -> None:
    program = tmp_path / "sbin" / "mosquitto"
    program.parent.mkdir()
    program.touch(0o755)
    monkeypatch.setattr("run.configuration.SEARCH_PATH", str(program.parent))
    snapshots = {"persistence true", "autosave_interval 10"}
    plugin = {"plugin_opt_flush_period 0", "plugin_opt_sync normal"}
    if place:
        path = tmp_path / place / "mosquitto_persist_sqlite.so"
        path.parent.mkdir(parents=True)
        path.touch()
        plugin.add(f"plugin {path}")
    lines = set(write_broker_configuration(tmp_path, 1883).read_text().splitlines())
    assert lines & (plugin | snapshots) == (plugin if place else snapshots)
