"""`make run`, as from a terminal."""

import json
import os
import signal
import socket
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import pytest

from run.workspace import PORTS
from tests.stack import Service, free_port, wait_for


class MakeRun(Service):
    """`make run` in a process group of its own, as a shell starts it."""

    def __init__(self, directory: Path) -> None:
        self.ports = {name: free_port() for name in PORTS}
        self.run_dir = directory / "state"
        settings = [f"{name}={port}" for name, port in self.ports.items()]
        # A shell's background jobs, and so perhaps these tests, ignore SIGINT; a terminal's do not.
        terminal = ["env", "--default-signal=INT,QUIT", "setsid"]
        argv = [*terminal, "make", "run", *settings, f"RUN_DIR={self.run_dir}"]
        super().__init__("make-run", directory, argv)

    def interrupt(self) -> None:
        """Send SIGINT to the process group, as Ctrl-C does, and wait for the exit."""
        os.killpg(self.pid, signal.SIGINT)
        assert self.process
        self.process.wait(15)

    def survivors(self) -> list[str]:
        """Return the command lines of the processes with this RUN_DIR in their environment."""
        mark = f"RUN_DIR={self.run_dir}".encode()
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            try:
                if mark in (process / "environ").read_bytes().split(b"\0"):
                    found.append((process / "cmdline").read_text().replace("\0", " "))
            except OSError:  # it has exited, or belongs to another user
                continue
        return found

    def __exit__(self, *_: object) -> None:
        if self.running:
            self.interrupt()

    def __enter__(self) -> Self:
        self.start()
        return self


@pytest.fixture
def make_run(tmp_path: Path) -> Iterator[MakeRun]:
    with MakeRun(tmp_path) as make_run:
        yield make_run


def stored(make_run: MakeRun) -> int:
    """Return the number of readings in the database; 0 while it does not respond."""
    query = urllib.parse.urlencode({"db": "iot", "q": "SELECT count(value) FROM data"})
    try:
        with urllib.request.urlopen(
            f"http://127.0.0.1:{make_run.ports['INFLUX_PORT']}/query?{query}", timeout=5
        ) as response:
            series = json.load(response)["results"][0].get("series")
    except OSError:
        return 0
    return int(series[0]["values"][0][1]) if series else 0


def test_ctrl_c_stops_every_process_and_the_next_run_keeps_the_readings(make_run: MakeRun) -> None:
    before = wait_for(lambda: stored(make_run), 60, "the simulator's first reading in InfluxDB")
    assert make_run.survivors(), "survivors() does not find the running processes"

    make_run.interrupt()

    assert make_run.survivors() == []
    assert (make_run.run_dir / "outbox.db").exists()

    make_run.start()

    wait_for(lambda: stored(make_run) > before, 60, "readings of both runs")


def test_it_prints_the_addresses_of_the_services(make_run: MakeRun) -> None:
    wait_for(lambda: "Ctrl-C" in make_run.log_text(), 60, "the addresses")

    for name in ("COLLECTOR_PORT", "MQTT_PORT", "INFLUX_PORT"):
        assert f"127.0.0.1:{make_run.ports[name]}" in make_run.log_text()


@pytest.mark.parametrize("output", [None, "Press Ctrl-C", "db started"])
def test_ctrl_c_during_startup_leaves_no_process(tmp_path: Path, output: str | None) -> None:
    make_run = MakeRun(tmp_path)
    make_run.start()
    if output is None:
        wait_for(make_run.survivors, 60, "the first process")
    else:
        wait_for(lambda: output in make_run.log_text(), 60, output)

    make_run.interrupt()

    assert make_run.survivors() == []


def test_a_port_in_use_is_reported_before_any_process_starts(tmp_path: Path) -> None:
    make_run = MakeRun(tmp_path)
    port = make_run.ports["MQTT_PORT"]
    with socket.create_server(("127.0.0.1", port)):
        make_run.start()
        assert make_run.process
        assert make_run.process.wait(60) != 0

    assert f"make run: port {port} is in use" in make_run.log_text()
    assert make_run.survivors() == []
