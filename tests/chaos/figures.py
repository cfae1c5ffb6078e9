"""`python -m tests.chaos.figures`: measures outage, restart and recovery against limits."""

import argparse
import contextlib
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.chaos.ledger import PostOutcome
from tests.chaos.load import Load
from tests.chaos.measured_stack import DRAIN_S, Figure, MeasuredStack, p99_ms, peak_mb
from tests.stack import wait_for

READY_S = 5.0
RECOVERY_S = 10.0
RESIDENT_MB = {"collector": 150.0, "bridge": 150.0, "broker": 300.0}
SERVICES = ("collector", "broker", "bridge", "influx")


@dataclass(frozen=True)
class OutageTimes:
    """Instants of an outage (time.monotonic)."""

    begin: float
    down: float
    up: float
    drained: float


def outage(directory: Path, *, down_s: float, normal_s: float, rate: float) -> Iterator[Figure]:
    """Stop InfluxDB under load and start it again; the load goes on while the backlog drains."""
    with MeasuredStack(directory, seed=1, formats=("single",)) as measured:
        with measured.load(rate) as load:
            times = _stop_and_start_influx(measured, down_s, normal_s, rate)
        yield from _outage_figures(load, times)
        for name, limit in RESIDENT_MB.items():
            peak = peak_mb(measured.service(name))
            yield Figure(f"peak resident memory of the {name}", peak, limit, "MB")
        yield measured.violations()


def _stop_and_start_influx(
    measured: MeasuredStack, down_s: float, normal_s: float, rate: float
) -> OutageTimes:
    influx = measured.stack.influx
    time.sleep(normal_s / 4)  # warm-up
    begin = time.monotonic()
    time.sleep(normal_s)
    down = time.monotonic()
    influx.kill()
    time.sleep(down_s)
    influx.start()
    influx.wait_ready()
    up = time.monotonic()
    sys.stdout.write(f"{measured.books().pending:,} readings pending when InfluxDB is up again\n")
    measured.wait_drained(rate, 2 * DRAIN_S)
    return OutageTimes(begin, down, up, time.monotonic())


def _outage_figures(load: Load, times: OutageTimes) -> Iterator[Figure]:
    normal = p99_ms(load, times.begin, times.down)
    during = p99_ms(load, times.down, times.up)
    draining = p99_ms(load, times.up, times.drained)
    seconds = times.up - times.begin
    posts = sum(times.begin <= moment < times.up for moment in load.moments)
    sys.stdout.write(
        f"{posts / seconds:.0f} readings/s posted; p99 before the outage {normal:.1f} ms,"
        f" during {during:.1f} ms, while draining {draining:.1f} ms\n"
    )
    down_s, drain_s = times.up - times.down, times.drained - times.up
    yield Figure(f"InfluxDB down for {down_s:.0f} s: drained after", drain_s, DRAIN_S, "s")
    yield Figure("p99 of POST during the outage / before it", during / normal, 2, "x")


def restart(directory: Path, *, pending: int) -> Iterator[Figure]:
    """SIGKILL a collector with many readings pending, and start it again."""
    with MeasuredStack(directory, seed=2, formats=("ndjson",)) as measured:
        influx, collector = measured.stack.influx, measured.stack.collector
        influx.kill()
        with measured.load(1e9):
            posts = measured.ledger.posts
            wait_for(lambda: posts[PostOutcome.ACKNOWLEDGED] >= pending, 600, "pending")
        collector.kill()
        took = _seconds_to_first_201(measured)
        held = measured.books().pending
        influx.start()
        up = time.monotonic()
        violations = measured.violations()
        sys.stdout.write(f"{held:,} pending stored in {time.monotonic() - up:.1f} s\n")
        yield Figure(f"restart with {held:,} pending: first 201 after", took, READY_S, "s")
        yield Figure("peak resident memory of that collector", peak_mb(collector), 150, "MB")
        yield violations


def _seconds_to_first_201(measured: MeasuredStack) -> float:
    begin = time.monotonic()
    measured.stack.collector.start()
    series = measured.ledger.series_of("first", "after")
    while measured.post(series) != 201:
        pass
    return time.monotonic() - begin


def recovery(directory: Path, *, rate: float) -> Iterator[Figure]:
    """SIGKILL each service under load; measure from its start to a new reading in InfluxDB."""
    with MeasuredStack(directory, seed=3, formats=("single",)) as measured:
        for name in SERVICES:
            with measured.load(rate):
                time.sleep(2)
                measured.service(name).kill()
                time.sleep(2)
                measured.service(name).start()
                begin = time.monotonic()
                wait_for(_new_reading_stored(measured, name), 60, f"recovery of {name}")
            took = time.monotonic() - begin
            yield Figure(f"SIGKILL of {name}: a new reading stored after", took, RECOVERY_S, "s")
        yield measured.violations()


def _new_reading_stored(measured: MeasuredStack, name: str) -> Callable[[], bool]:
    """Return a condition that posts until a reading is acknowledged, then looks it up."""
    series = measured.ledger.series_of("recovery", name)
    acknowledged = False

    def stored() -> bool:
        nonlocal acknowledged
        acknowledged = acknowledged or measured.post(series) == 201
        query = f"SELECT value FROM data WHERE sensor_id='recovery' AND type='{name}'"  # noqa: S608
        with contextlib.suppress(OSError):
            return acknowledged and bool(measured.stack.influx.query(query))
        return False

    return stored


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.figures", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="smaller counts, as a smoke test")
    parser.add_argument("--only", choices=["recovery", "restart", "outage"])
    return parser.parse_args()


def main() -> int:
    arguments = parse_arguments()
    directory = Path(tempfile.mkdtemp(prefix="figures-"))
    pending, down_s, normal_s = (100_000, 20, 10) if arguments.quick else (1_000_000, 300, 60)
    measurements: dict[str, Callable[[Path], Iterable[Figure]]] = {
        "recovery": lambda path: recovery(path, rate=200),
        "restart": lambda path: restart(path, pending=pending),
        "outage": lambda path: outage(path, down_s=down_s, normal_s=normal_s, rate=2000),
    }
    figures = [
        figure
        for name, measure in measurements.items()
        if arguments.only in (None, name)
        for figure in measure(directory / name)
    ]
    sys.stdout.write("".join(f"{figure}\n" for figure in figures))
    shutil.rmtree(directory)
    return 0 if all(figure.within_limit for figure in figures) else 1


if __name__ == "__main__":
    sys.exit(main())
