"""docs/examples/all-cells.conf: one broker receives from two cells, and sends them nothing."""

import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from run.configuration import ROOT
from tests.service import Service
from tests.stack import Broker, wait_for

EXAMPLE = ROOT / "docs" / "examples" / "all-cells.conf"
STATES = ("$SYS/broker/connection/cell1/state", "$SYS/broker/connection/cell2/state")


class Central(Broker):
    """Mosquitto with the example, for these cells."""

    def __init__(self, directory: Path, cells: list[Broker], direction: str) -> None:
        super().__init__(directory)
        text = EXAMPLE.read_text(encoding="utf-8").replace("listener 1883", f"listener {self.port}")
        text = text.replace("# in 0", f"# {direction} 0")
        for number, cell in enumerate(cells, 1):
            text = text.replace(f"address cell{number}:1883", f"address 127.0.0.1:{cell.port}")
        path = directory / "all-cells.conf"
        path.write_text(text)
        self.argv = ["mosquitto", "-c", str(path)]


class Watcher(Service):
    """Writes down every message at a broker: topic and payload, one a line."""

    def __init__(self, directory: Path, port: int) -> None:
        topics = ["-t", "#", "-t", "$SYS/broker/connection/#"]
        super().__init__("watch", directory, ["mosquitto_sub", "-p", str(port), "-v", *topics])

    def wait(self, line: str, times: int = 1) -> None:
        wait_for(lambda: self.log_text().splitlines().count(line) >= times, what=line)


class Brokers(NamedTuple):
    cells: list[Broker]
    central: Broker
    watchers: list[Watcher]
    """One of each cell, then that of the central broker."""

    def wait_quiet(self) -> None:
        """Wait until what was published before has arrived everywhere: a last message has."""
        publish(self.central, "last/central")
        for number, cell in enumerate(self.cells):
            publish(cell, f"readings/last/{number}")
            self.watchers[-1].wait(f"readings/last/{number} x")
        self.watchers[-1].wait("last/central x")


@pytest.fixture
def brokers(tmp_path: Path) -> Iterator[Brokers]:
    with running(tmp_path) as brokers:
        yield brokers


@contextmanager
def running(tmp_path: Path, direction: str = "in") -> Iterator[Brokers]:
    with ExitStack() as stack:
        cells = [stack.enter_context(Broker(tmp_path / f"cell{n}")) for n in (1, 2)]
        central = stack.enter_context(Central(tmp_path / "central", cells, direction))
        watchers = [
            stack.enter_context(Watcher(tmp_path / f"watch-{broker.port}", broker.port))
            for broker in (*cells, central)
        ]
        for state in STATES:
            watchers[-1].wait(f"{state} 1")
        yield Brokers(cells, central, watchers)


def publish(broker: Broker, topic: str, *options: str) -> None:
    subprocess.run(
        ["mosquitto_pub", "-p", str(broker.port), "-t", topic, "-m", "x", "-q", "1", *options],
        check=True,
    )


def test_readings_dead_letters_and_statuses_of_every_cell_arrive(brokers: Brokers) -> None:
    first, second = brokers.cells
    for topic in ("readings/1/temp", "rejected/1/temp", "status/collector/a"):
        publish(first, topic, "--retain")
        brokers.watchers[-1].wait(f"{topic} x")
        assert brokers.central.retained(topic) == b"x"
    publish(second, "readings/2/temp")
    brokers.watchers[-1].wait("readings/2/temp x")
    assert not brokers.central.retained("readings/2/temp")


def test_what_is_for_the_cells_alone_stays_there(brokers: Brokers) -> None:
    private = ("receipts/a", "replay/1/temp", "devices/1/temp", "accepted/1")
    for topic in private:
        publish(brokers.cells[0], topic)
        brokers.watchers[0].wait(f"{topic} x")
    brokers.wait_quiet()
    log = brokers.watchers[-1].log_text()
    assert not [topic for topic in private if topic in log]


def test_nothing_comes_back_to_a_cell(brokers: Brokers) -> None:
    publish(brokers.cells[0], "readings/1/temp", "--retain")
    publish(brokers.central, "readings/3/temp")
    brokers.wait_quiet()
    first, second, central = (watcher.log_text().splitlines() for watcher in brokers.watchers)
    assert first.count("readings/1/temp x") == central.count("readings/1/temp x") == 1
    assert not [line for line in (*first, *second) if "3/temp" in line]
    assert "readings/1/temp x" not in second


def test_with_topics_in_both_directions_it_would(tmp_path: Path) -> None:
    with running(tmp_path, "both") as brokers:
        publish(brokers.central, "readings/3/temp")
        brokers.watchers[0].wait("readings/3/temp x")


def test_a_cell_that_returns_is_received_again(brokers: Brokers) -> None:
    brokers.cells[0].kill()
    brokers.watchers[-1].wait(f"{STATES[0]} 0")
    brokers.cells[0].start()
    brokers.cells[0].wait_ready()
    brokers.watchers[-1].wait(f"{STATES[0]} 1", times=2)
    publish(brokers.cells[0], "readings/1/temp")
    brokers.watchers[-1].wait("readings/1/temp x")
