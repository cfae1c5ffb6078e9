"""Single POSTs to several cells at once, which share nothing but the database."""

import contextlib
import time
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from bench.pipeline import Mark, Pipeline, cpu_us
from bench.row import Row
from bench.usage import Usage
from bench.wrk import Answers, wrk

_PARTS = ("broker", "bridge", "collector")


def cells(directory: Path, count: int, connections: int, seconds: float) -> Row:
    """Measure `count` cells, each with its share of the connections; their CPU is added up."""
    all_ = [Pipeline(directory / str(number)) for number in range(count)]
    first, *others = all_
    with contextlib.ExitStack() as stack, ThreadPoolExecutor(count) as pool:
        stack.enter_context(first)
        for number, cell in enumerate(others, 2):
            cell.use_database_of(first, f"bridge-{number}")
            stack.callback(cell.stop)
            cell.start(*_PARTS)
        before = _mark(all_)

        def load(number: int) -> Answers:
            # Sensors of its own: without ts, two cells might give two readings the same time.
            port = all_[number].collector.port
            return wrk(port, connections // count, seconds, first=100 * number)

        answers = list(pool.map(load, range(count)))
        first.wrk_s += sum(one.cpu_s for one in answers)
        settled = max(cell.wait_settled().usage.at for cell in all_)
        after, readings = _mark(all_), first.in_database()
        row = Row(
            readings=readings,
            seconds=settled - before.usage.at,
            rate=readings / (settled - before.usage.at),
            cpu_us=cpu_us(before, after, readings),
            peak_mb=first.peaks(),
        )
        accepted = sum(cell.metrics()["accepted"] for cell in all_)
    failed = sum(one.failed for one in answers)
    if failed or accepted != readings:
        row.violations = [f"{failed} failed, {readings} in InfluxDB of {accepted} accepted"]
    row.p50_ms = max(one.p50_ms for one in answers)
    row.p99_ms = max(one.p99_ms for one in answers)
    return row


def _mark(cells: list[Pipeline]) -> Mark:
    marks = [cell.mark() for cell in cells]
    used: defaultdict[str, float] = defaultdict(float)
    for mark in marks:
        for name in _PARTS:
            used[name] += mark.usage.cpu_s[name]
    used["database"] = marks[0].usage.cpu_s["database"]
    return Mark(Usage(time.monotonic(), dict(used)), marks[0].load_s)
