"""Commands that wait: for how long, what they say about it, and how they are interrupted."""

import os
import pty
import signal
import socket
import subprocess
import termios
from collections.abc import Iterator
from pathlib import Path

import pytest

from collector.outbox.books import read_books
from run.configuration import ROOT
from tests.builders import reading
from tests.integration.posting import STORED, client, send
from tests.stack import Collector, Stack, wait_for


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A pipeline with one stored reading."""
    with Stack(tmp_path_factory.mktemp("waits")) as stack:
        with client(stack.collector) as http:
            assert send(http, reading("waits"), path=STORED).status_code == 201
        wait_for(lambda: read_books(stack.collector.outbox).stored == 1)
        yield stack


@pytest.fixture
def silent() -> Iterator[socket.socket]:
    """A server that accepts connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener


def started(
    collector: Collector,
    *command: str,
    env: dict[str, str] | None = None,
    stdout: int = subprocess.PIPE,
) -> subprocess.Popen[str]:
    """Start a command with the collector's settings, some of them replaced."""
    return subprocess.Popen(
        [*collector.argv, *command],
        cwd=ROOT,
        env={**collector.environment, **(env or {})},
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_a_replay_without_a_broker_names_its_address(stack: Stack) -> None:
    process = started(stack.collector, "replay", "--since", "1h", env={"MQTT_PORT": "1"})
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (2, "")
    assert err == ("replay: the MQTT broker at 127.0.0.1:1 cannot be reached: Connection refused\n")


def test_a_replay_without_a_bridge_says_so(stack: Stack) -> None:
    stack.bridge.stop()
    try:
        done = stack.collector.command("replay", "--since", "1h")
    finally:
        stack.bridge.start()
        stack.bridge.wait_ready()
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout == (
        "sent 1, stored 0, rejected 0\nno receipt for 1: bridge 'bridge' is offline\n"
    )


def test_a_replay_without_influxdb_says_what_the_bridge_waits_for(stack: Stack) -> None:
    stack.influx.stop()
    try:
        done = stack.collector.command("replay", "--since", "1h")
    finally:
        stack.influx.start()
        stack.influx.wait_ready()
        stack.bridge.wait_ready()
    assert (done.returncode, done.stderr) == (1, "")
    assert "no receipt for 1: bridge 'bridge' is waiting: InfluxDB: " in done.stdout


@pytest.mark.parametrize(
    ("command", "port"),
    [(["audit"], "INFLUX_PORT"), (["replay", "--since", "1h"], "MQTT_PORT")],
)
def test_ctrl_c_ends_a_command_with_one_line(
    stack: Stack, silent: socket.socket, command: list[str], port: str
) -> None:
    process = started(stack.collector, *command, env={port: str(silent.getsockname()[1])})
    with silent.accept()[0]:
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (130, "")
    assert err == f"{command[0]}: interrupted\n"


@pytest.mark.parametrize("command", ["books", "audit"])
def test_a_closed_output_ends_a_command_without_a_word(stack: Stack, command: str) -> None:
    read, write = os.pipe()
    os.close(read)
    process = started(stack.collector, command, stdout=write)
    os.close(write)
    _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (141, "")


@pytest.mark.parametrize("command", [["audit"], ["replay", "--since", "1h"]])
def test_progress_is_shown_on_a_terminal_only(
    stack: Stack, command: list[str], tmp_path: Path
) -> None:
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 80))
    with (tmp_path / "out").open("w+") as out:
        argv, env = [*stack.collector.argv, *command], stack.collector.environment
        subprocess.run(argv, cwd=ROOT, env=env, stdout=out, stderr=theirs, check=True, timeout=60)
        os.set_blocking(ours, False)
        drawn = os.read(ours, 65536)
        os.close(theirs)
        os.close(ours)
        out.seek(0)
        shown = out.read()
    assert b"/1 [" in drawn
    assert shown == stack.collector.command(*command).stdout
    assert stack.collector.command(*command).stderr == ""
