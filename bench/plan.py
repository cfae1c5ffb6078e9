"""One run: the limits, and the workloads beside them."""

import sys
from pathlib import Path
from typing import NamedTuple

from bench import goals, limits, original
from bench.cells import cells
from bench.drain import backlog, bridge_alone
from bench.report import Report, machine
from bench.row import Limit, Row, median
from bench.workloads import (
    arrays_of,
    devices,
    latency,
    mqtt_latency,
    published,
    singles,
)


class Size(NamedTuple):
    """The sizes of the workloads; `seconds` for those without a count."""

    seconds: float
    rounds: int
    arrays: int
    queue: int
    backlog: int
    messages: int
    points: int
    commits: int


FULL = Size(10, 3, 500, 90_000, 1_000_000, 300_000, 1_000_000, 300)
QUICK = Size(3, 1, 80, 60_000, 300_000, 100_000, 250_000, 100)


def measure(directory: Path, size: Size) -> Report:
    """Measure everything under `directory`, which must be on a disk."""
    run = _Run(directory, size)
    run.limits()
    run.posts()
    run.drains()
    run.paced()
    return run.finish()


class _Run:
    def __init__(self, directory: Path, size: Size) -> None:
        self.report = Report(machine(), {}, [], [])
        self._directory = directory
        self._size = size
        self._count = 0

    def limits(self) -> None:
        """Measure the limits."""
        size = self._size
        self._mosquitto = limits.mosquitto(self._new(), size.messages)
        influxdb = limits.influxdb(self._new(), size.points)
        self._commit = limits.commit_and_write(self._new(), size.commits)
        self._slower = min(self._mosquitto, influxdb, key=lambda limit: limit.rate or 0)
        self.report.limits += [self._mosquitto, influxdb, self._commit]

    def posts(self) -> None:
        """Measure loads that post or publish as fast as they are answered."""
        self._singles_in_turns()
        size = self._size
        bare = self._bare(512)
        self._add(goals.MANY_SINGLES, singles(self._new(), 512, size.seconds), bare)
        for sensors, name in ((10, goals.ARRAYS), (10_000, goals.MANY_SENSORS)):
            self._add(name, arrays_of(self._new(), sensors, size.arrays), self._slower)
        for chunk, name in ((20, goals.MQTT), (1, goals.MQTT_EACH)):
            self._add(name, published(self._new(), chunk, size.seconds), self._slower)

    def _singles_in_turns(self) -> None:
        """Take turns, so that other load on the machine affects both."""
        rounds, seconds = range(self._size.rounds), self._size.seconds
        script, clients = Path(), tuple(goals.ORIGINALS)
        try:
            script = original.install(self._new())
        except original.Missing as missing:
            clients = ()
            self.report.missing.append(f"the original collector: {missing}")
        ours: list[Row] = []
        secured: list[Row] = []
        encrypted: list[Row] = []
        workers: list[Row] = []
        several: list[Row] = []
        theirs: dict[str, list[Row]] = {client: [] for client in goals.ORIGINALS}
        for _ in rounds:
            for client in clients:
                theirs[client].append(original.measure(script, self._new(), client, seconds))
            ours.append(singles(self._new(), 64, seconds))
            secured.append(singles(self._new(), 64, seconds, accounts=True))
            encrypted.append(singles(self._new(), 64, seconds, accounts=True, tls=True))
            workers.append(singles(self._new(), 128, seconds, workers=2))
            several.append(cells(self._new(), 2, 128, seconds))
        for client in clients:
            self._add(goals.ORIGINALS[client], median(theirs[client]))
        self._add(goals.SINGLES, median(ours), self._bare(64))
        self._add(goals.ACCOUNTS, median(secured))
        self._add(goals.TLS, median(encrypted))
        self._add(goals.WORKERS, median(workers))
        self._add(goals.CELLS, median(several))

    def _bare(self, connections: int) -> Limit:
        bare = limits.bare(self._new(), connections, self._size.seconds)
        self.report.limits.append(bare)
        return bare

    def drains(self) -> None:
        """Measure how backlogs drain."""
        self._add(goals.BRIDGE, bridge_alone(self._new(), self._size.queue), self._slower)
        filled, drained = backlog(self._new(), self._size.backlog)
        self._add(goals.OUTAGE, filled)
        self._add(goals.BACKLOG, drained, self._slower)

    def paced(self) -> None:
        """Measure loads at a fixed rate."""
        seconds = self._size.seconds
        self._add(goals.IDLE, latency(self._new(), 1, 2 * seconds), self._commit)
        self._add(goals.LATENCY, latency(self._new(), 100, seconds), self._commit)
        self._add(goals.MQTT_LATENCY, mqtt_latency(self._new(), 100, seconds), self._commit)
        self._add("latency at 1,000/s", latency(self._new(), 1000, seconds), self._commit)
        self._add("1,000 connected devices, each 1/s", devices(self._new(), 1000, seconds))

    def finish(self) -> Report:
        """Compare the rows with the goals."""
        self.report.goals = goals.goals(self.report.rows, self._mosquitto)
        return self.report

    def _add(self, name: str, row: Row, limit: Limit | None = None) -> None:
        row.limit = limit
        self.report.rows[name] = row
        sys.stderr.write(f"{name}: {row.rate:,.0f}/s\n")

    def _new(self) -> Path:
        self._count += 1
        return self._directory / str(self._count)
