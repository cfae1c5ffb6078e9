"""`make run`, as from a terminal: what it prints, and what it leaves behind."""

import json
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from run.configuration import ROOT
from run.parts import PARTS
from run.state import State
from tests.run.terminal import Terminal
from tests.stack import wait_for

KILLED = [name for name in PARTS if name != "dashboard"]
TROUBLE = re.compile(r"warning|error|traceback|\*\*\*", re.IGNORECASE)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Terminal]:
    """A pipeline that is ready; its directory has a space in its name."""
    with Terminal(tmp_path_factory.mktemp("run") / "with a space") as terminal:
        terminal.wait("Ready in")
        yield terminal


def stored(terminal: Terminal) -> int:
    """Return the number of readings in the database; 0 while it does not respond."""
    done = pipeline(terminal, "query", "SELECT count(value) FROM data")
    if done.returncode:
        return 0
    series = json.loads(done.stdout)["results"][0].get("series")
    return int(series[0]["values"][0][1]) if series else 0


def pipeline(terminal: Terminal, *words: str) -> subprocess.CompletedProcess[str]:
    """Run ./pipeline from another directory, as a person in a second terminal."""
    return subprocess.run(
        [sys.executable, ROOT / "pipeline", *words],
        cwd=terminal.run_dir,
        env={"RUN_DIR": str(terminal.run_dir), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_the_start_ends_with_one_block_and_then_has_one_line_for_each_reading(
    running: Terminal,
) -> None:
    wait_for(lambda: running.screen.count("sensor_id=123") >= 3, 30, "three readings")
    start, block = running.screen.split("Ready in", 1)
    block, readings = block.split("accepted:\n", 1)
    assert "sensor_id=123" not in start
    assert str(running.ports["COLLECTOR_PORT"]) in block
    for word in ("page", "post", "watch", "dashboard", "audit", "Ctrl-C"):
        assert word in block
    lines = readings.splitlines()
    shown = running.screen.replace(str(running.run_dir), ".run").splitlines()
    assert max(map(len, shown)) < 140
    for ts in re.findall(r"ts=(\S+)", readings):
        assert sum(ts in line for line in lines) == 1, ts
    assert "\x1b[" in running.raw, "a terminal has colours"
    assert "\x1b[31m" not in running.raw.split("Ready in")[0], "red is for trouble"


def test_the_post_command_shown_works_as_typed(running: Terminal) -> None:
    (command,) = re.findall(r"post +(curl .*\n.*)", running.screen)
    done = subprocess.run(
        ["bash", "-c", command], capture_output=True, text=True, check=False, timeout=30
    )
    assert done.stdout == "Created", done


@pytest.mark.parametrize("part", KILLED)
def test_a_part_that_is_killed_comes_back(running: Terminal, part: str) -> None:
    state = State(running.run_dir)
    before = state.pids()[part]
    assert pipeline(running, "kill", part).returncode == 0
    wait_for(lambda: state.pids()[part] != before, 30, f"{part} started again")
    running.wait("was killed (SIGKILL): it is started again")
    posted = stored(running)
    wait_for(lambda: stored(running) > posted, 60, "readings stored again")


def test_nothing_is_missing_after_all_that(running: Terminal) -> None:
    assert all(f"{part:9} | was killed" in running.screen for part in KILLED)
    wait_for(lambda: re.search(r"pending +0\b", pipeline(running, "books").stdout))
    done = pipeline(running, "audit")
    assert done.returncode == 0, done
    assert re.search(r"missing +0", done.stdout)


@pytest.mark.parametrize(
    ("words", "printed"),
    [
        (["books"], "accepted = stored"),
        (["replay", "--since", "1s"], "sent"),
        (["rejected"], "none"),
        (["check"], "storing"),
        (["watch", "--once"], "123"),
        (["forget", "--sensor", "none"], "forgot 0"),
        (["devices", "list"], "simulator             *"),
        (["backup", "copy.db"], "copied"),
        (["formats", "try", "tele/x/SENSOR", '{"a":1}'], '"type":"a"'),
        (["device", "--count", "1"], '"sensor_id":1000} -> 201'),
        (["device", "--mqtt", "--count", "1"], '"sensor_id":1000} -> accepted'),
    ],
    ids=lambda given: given[0] if isinstance(given, list) else None,
)
def test_a_command_works_as_typed(running: Terminal, words: list[str], printed: str) -> None:
    done = pipeline(running, *words)
    assert done.returncode == 0, done
    assert printed in done.stdout
    if words[0] == "backup":
        assert (running.run_dir / "copy.db").is_file()


def test_a_command_where_nothing_runs_says_so(tmp_path: Path) -> None:
    with_nothing = Terminal(tmp_path)
    done = pipeline(with_nothing, "books")
    assert done.returncode == 1
    assert done.stderr.startswith("No pipeline runs here: start it with `make run`")


def test_ctrl_c_ends_it_without_a_warning_and_the_next_run_keeps_the_readings(
    tmp_path: Path,
) -> None:
    with Terminal(tmp_path) as terminal:
        terminal.wait("Ready in")
        before = wait_for(lambda: stored(terminal), 60, "the first reading in InfluxDB")
        assert terminal.survivors(), "survivors() does not find the running processes"
        end = terminal.interrupt()
        assert not TROUBLE.search(end), end
        assert end.endswith("exit=0\n"), end
        assert terminal.survivors() == []
    # What runs no more can still be asked.
    books = pipeline(terminal, "books").stdout
    assert re.search(r"pending +0\b", books), books
    with Terminal(tmp_path) as again:
        wait_for(lambda: stored(again) > before, 60, "readings of both runs")


def test_control_the_broker_stopped_first_is_noticed(tmp_path: Path) -> None:
    order = "run.pipeline.STOP_ORDER = run.pipeline.STOP_ORDER[::-1]"
    script = f"import run.pipeline; {order}; raise SystemExit(run.pipeline.main())"
    reversed_order = Terminal(tmp_path)
    reversed_order.command = f"env {{}} .venv/bin/python -c '{script}'"
    with reversed_order:
        reversed_order.wait("Ready in")
        assert TROUBLE.search(reversed_order.interrupt())


@pytest.mark.parametrize("text", ["Starting broker", "broker    |"])
def test_ctrl_c_during_the_start_leaves_no_process(tmp_path: Path, text: str) -> None:
    with Terminal(tmp_path) as terminal:
        terminal.wait(text)
        assert terminal.interrupt().endswith("exit=0\n")
        assert terminal.survivors() == []


def test_closing_the_terminal_stops_everything(tmp_path: Path) -> None:
    with Terminal(tmp_path) as terminal:
        terminal.wait("Ready in")
        terminal.hang_up()
        wait_for(lambda: not terminal.survivors(), 20, "no process")


def test_without_a_terminal_there_are_no_colours(tmp_path: Path) -> None:
    terminal = Terminal(tmp_path)
    terminal.command = "make run {} | cat"
    with terminal:
        terminal.wait("Ready in")
    assert "\x1b[" not in terminal.raw


def test_when_nobody_reads_its_output_any_more_it_ends(tmp_path: Path) -> None:
    terminal = Terminal(tmp_path)
    terminal.command = "make run {} | grep -m 1 Ready"
    with terminal:
        terminal.wait("exit=0")
        wait_for(lambda: not terminal.survivors(), 20, "no process")


def test_commands_have_the_settings_of_what_runs_and_the_simulator_may_end(tmp_path: Path) -> None:
    settings = {"BRIDGE_ID": "other", "SIMULATOR_OPTIONS": "--count 2"}
    with Terminal(tmp_path, settings) as terminal:
        terminal.wait("simulator | has ended")
        done = pipeline(terminal, "check")
        assert (done.returncode, done.stdout) == (0, "storing\n"), done
        assert terminal.screen.count("sensor_id=123") == 2


def test_a_port_in_use_is_reported_before_any_process_starts(tmp_path: Path) -> None:
    terminal = Terminal(tmp_path)
    port = terminal.ports["MQTT_PORT"]
    with socket.create_server(("127.0.0.1", port)), terminal:
        terminal.wait("exit=")
        assert f"make run: port {port} is in use" in terminal.screen
        assert "Starting" not in terminal.screen
        assert terminal.survivors() == []


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"COLECTOR_PORT": 1}, "COLECTOR_PORT is not a setting: did you mean COLLECTOR_PORT?"),
        ({"OUTBOX_MAX_BYTES": "1G"}, "OUTBOX_MAX_BYTES='1G': expected a number of bytes, at least"),
        ({"MQTT_PORT": 0}, "MQTT_PORT='0': expected a port from 1 to 65535"),
        ({"SIMULATOR_OPTIONS": "--rate fast"}, "SIMULATOR_OPTIONS"),
    ],
)
def test_a_wrong_setting_ends_the_start_with_its_name(
    tmp_path: Path, settings: dict[str, object], said: str
) -> None:
    with Terminal(tmp_path, settings) as terminal:
        terminal.wait("exit=")
        *_, cause, _, _ = terminal.screen.splitlines()  # then make, and the shell
        assert cause.startswith("make run: ")
        assert said in cause
        assert "Starting" not in terminal.screen


def test_a_setting_without_effect_is_said(tmp_path: Path) -> None:
    wrong = {"MQTT_HOST": "example", "MQTT_PASSWORD": "x", "MQTT_TLS_CA": "/no/such/file"}
    with Terminal(tmp_path, wrong) as terminal:
        terminal.wait("Ready in")
    assert "Note: MQTT_HOST has no effect on make run: it starts its own broker" in terminal.screen


def test_a_part_that_cannot_start_is_the_last_line(tmp_path: Path) -> None:
    (tmp_path / "outbox.db").write_bytes(b"not a database" * 1000)
    with Terminal(tmp_path) as terminal:
        terminal.wait("exit=")
        *_, cause, _, _ = terminal.screen.splitlines()
        assert cause.startswith("make run: collector ended with exit code 1: collector: ")
        assert "outbox.db" in cause
        assert terminal.survivors() == []
