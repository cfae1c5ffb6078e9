"""`python -m tests.chaos.figures`: an outage, a restart and recoveries, measured against limits."""

import argparse
import contextlib
import random
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from tests.chaos.background import Background
from tests.chaos.books import Books, told_by_metrics
from tests.chaos.checker import check
from tests.chaos.devices import Devices
from tests.chaos.ledger import Ledger, Verdict
from tests.chaos.load import Load, post_once
from tests.stack import Service, Stack, wait_for

MB = 1 << 20
DRAIN_S = 120.0
READY_S = 5.0
RECOVERY_S = 10.0
RESIDENT_MB = {"collector": 150.0, "bridge": 150.0, "broker": 300.0}


@dataclass(frozen=True)
class Figure:
    """Something measured, and the most it may be."""

    name: str
    measured: float
    limit: float
    unit: str

    @property
    def reached(self) -> bool:
        """Whether the limit holds."""
        return self.measured <= self.limit

    def __str__(self) -> str:
        held = "ok" if self.reached else "MISSED"
        return f"{held:7} {self.name:58} {self.measured:10.2f} of {self.limit:g} {self.unit}"


class Bench:
    """A pipeline with nothing between its parts, and devices that post directly."""

    def __init__(self, directory: Path, *, seed: int, shapes: tuple[str, ...]) -> None:
        """Prepare; `with` runs it."""
        self.stack = Stack(directory)
        self.ledger = Ledger()
        self.background = Background()
        self.devices = Devices(self.ledger, random.Random(seed), shapes=shapes, broken=0, gzipped=0)

    def __enter__(self) -> Self:
        self.stack.start()
        self.background.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.background.stop()
        for name in ("collector", "bridge", "broker", "influx"):
            self.service(name).kill()

    def service(self, name: str) -> Service:
        """Return one of the four."""
        service: Service = getattr(self.stack, name)
        return service

    def books(self) -> Books:
        """Return what the collector says it holds."""
        return told_by_metrics(self.stack.collector.url)

    @contextlib.contextmanager
    def load(self, rate: float, connections: int = 32) -> Iterator[Load]:
        """Post at this rate while the block runs."""
        port = self.stack.collector.port
        load = Load(self.devices, port=port, rate=rate, connections=connections, twice=0)
        work = self.background.spawn(load.run())
        try:
            yield load
        finally:
            self.background.loop.call_soon_threadsafe(load.stop)
            work.result(60)

    def violations(self) -> Figure:
        """Drain and compare with InfluxDB."""
        with contextlib.suppress(AssertionError):
            wait_for(lambda: not self.books().pending, 5 * DRAIN_S)
        books = self.books()
        findings = check(self.ledger, influx_port=self.stack.influx.port, books=books)
        sys.stdout.write(f"{findings}\n")
        bad = findings.counts.total() + books.pending
        return Figure("violations, and readings still pending", bad, 0, "")


def p99_ms(load: Load, begin: float, end: float) -> float:
    """Return the 99th percentile of the answers between two instants."""
    times = zip(load.moments, load.latencies, strict=True)
    within = sorted(latency for moment, latency in times if begin <= moment < end)
    return within[int(len(within) * 0.99)] * 1000


def peak_mb(service: Service) -> float:
    """Return the most memory that the process has had resident (VmHWM)."""
    status = Path(f"/proc/{service.pid}/status").read_text(encoding="utf-8")
    match = re.search(r"VmHWM:\s+(\d+) kB", status)
    assert match, status
    return int(match[1]) * 1024 / MB


def outage(directory: Path, *, away_s: float, normal_s: float, rate: float) -> list[Figure]:
    """InfluxDB away under load, and back; the load goes on while the backlog drains."""
    with Bench(directory, seed=1, shapes=("single",)) as bench:
        with bench.load(rate) as load:
            time.sleep(normal_s / 4)  # the time that a load lasts, here and below
            begin = time.monotonic()
            time.sleep(normal_s)
            gone = time.monotonic()
            bench.stack.influx.kill()
            time.sleep(away_s)
            bench.stack.influx.start()
            bench.stack.influx.wait_ready()
            back = time.monotonic()
            held = bench.books().pending
            with contextlib.suppress(AssertionError):
                wait_for(lambda: bench.books().pending <= rate, 2 * DRAIN_S)
            drained = time.monotonic()
        normal, during = p99_ms(load, begin, gone), p99_ms(load, gone, back)
        posted = sum(begin <= moment < back for moment in load.moments) / (back - begin)
        sys.stdout.write(
            f"{posted:.0f} readings/s posted, {held:,} pending at the return; p99 normal"
            f" {normal:.1f} ms, outage {during:.1f} ms,"
            f" draining {p99_ms(load, back, drained):.1f} ms\n"
        )
        return [
            Figure(f"InfluxDB away {away_s:.0f} s: all stored after", drained - back, DRAIN_S, "s"),
            Figure("p99 of POST during the outage, of its normal", during / normal, 2, "times"),
            *(
                Figure(f"resident peak of the {name}", peak_mb(bench.service(name)), limit, "MB")
                for name, limit in RESIDENT_MB.items()
            ),
            bench.violations(),
        ]


def restart(directory: Path, *, pending: int) -> list[Figure]:
    """SIGKILL of a collector with many readings pending, and its next start."""
    with Bench(directory, seed=2, shapes=("ndjson",)) as bench:
        bench.stack.influx.kill()
        with bench.load(1e9):
            wait_for(lambda: bench.ledger.posts[Verdict.ACKNOWLEDGED] >= pending, 600, "pending")
        collector = bench.stack.collector
        collector.kill()
        begin = time.monotonic()
        collector.start()
        series = bench.ledger.series_of("first", "after")
        status = None
        while status != 201:
            reading = bench.ledger.attempt(series, time.time_ns(), 1.0)
            post = post_once(collector.port, bench.ledger, [reading])
            status = bench.background.run(post, timeout=60)
        took = time.monotonic() - begin
        held = bench.books().pending
        bench.stack.influx.start()
        back = time.monotonic()
        violations = bench.violations()
        sys.stdout.write(f"{held:,} pending stored in {time.monotonic() - back:.1f} s\n")
        return [
            Figure(f"restart with {held:,} pending: first 201 after", took, READY_S, "s"),
            Figure("resident peak of the collector then", peak_mb(collector), 150, "MB"),
            violations,
        ]


def recovery(directory: Path, *, rate: float) -> Iterator[Figure]:
    """SIGKILL of each part under load: from its start to a new reading in InfluxDB."""
    with Bench(directory, seed=3, shapes=("single",)) as bench:
        for name in ("collector", "broker", "bridge", "influx"):
            with bench.load(rate):
                time.sleep(2)
                bench.service(name).kill()
                time.sleep(2)
                bench.service(name).start()
                begin = time.monotonic()
                wait_for(_new_reading_stored(bench, name), 60, f"recovery of {name}")
            took = time.monotonic() - begin
            yield Figure(f"SIGKILL of {name}: a new reading stored after", took, RECOVERY_S, "s")
        yield bench.violations()


def _new_reading_stored(bench: Bench, name: str) -> Callable[[], bool]:
    """Return a condition that posts until it is answered, then looks for that reading."""
    series = bench.ledger.series_of("recovery", name)
    acknowledged = False

    def stored() -> bool:
        nonlocal acknowledged
        if not acknowledged:
            reading = bench.ledger.attempt(series, time.time_ns(), 1.0)
            post = post_once(bench.stack.collector.port, bench.ledger, [reading])
            acknowledged = bench.background.run(post, timeout=60) == 201
        query = f"SELECT value FROM data WHERE sensor_id='recovery' AND type='{name}'"  # noqa: S608
        with contextlib.suppress(OSError):
            return acknowledged and bool(bench.stack.influx.query(query))
        return False

    return stored


def main() -> int:
    """Measure; return 0 when each limit holds."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.figures", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a fraction, to see that it works")
    parser.add_argument("--only", choices=["recovery", "restart", "outage"])
    arguments = parser.parse_args()
    directory = Path(tempfile.mkdtemp(prefix="figures-"))
    pending, away_s, normal_s = (100_000, 20, 10) if arguments.quick else (1_000_000, 300, 60)
    measurements: dict[str, Callable[[Path], Iterable[Figure]]] = {
        "recovery": lambda path: recovery(path, rate=200),
        "restart": lambda path: restart(path, pending=pending),
        "outage": lambda path: outage(path, away_s=away_s, normal_s=normal_s, rate=2000),
    }
    figures = [
        figure
        for name, measure in measurements.items()
        if arguments.only in (None, name)
        for figure in measure(directory / name)
    ]
    sys.stdout.write("".join(f"{figure}\n" for figure in figures))
    shutil.rmtree(directory)
    return 0 if all(figure.reached for figure in figures) else 1


if __name__ == "__main__":
    sys.exit(main())
