"""A pipeline without proxies, and what is measured on it."""

import contextlib
import random
import re
import sys
import time
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from tests.chaos.background import Background
from tests.chaos.books import Books, books_from_metrics
from tests.chaos.checker import check
from tests.chaos.devices import Devices
from tests.chaos.ledger import Ledger, Series
from tests.chaos.load import Load, post_once
from tests.stack import Service, Stack, wait_for

MB = 1 << 20
DRAIN_S = 120.0


@dataclass(frozen=True)
class Figure:
    """A measured value and its upper limit."""

    name: str
    measured: float
    limit: float
    unit: str

    @property
    def within_limit(self) -> bool:
        return self.measured <= self.limit

    def __str__(self) -> str:
        word = "ok" if self.within_limit else "MISSED"
        return f"{word:7} {self.name:58} {self.measured:10.2f} of {self.limit:g} {self.unit}"


class MeasuredStack:
    """A pipeline without proxies, and devices that post to it."""

    def __init__(self, directory: Path, *, seed: int, formats: tuple[str, ...]) -> None:
        self.stack = Stack(directory)
        self.ledger = Ledger()
        self.background = Background()
        self.devices = Devices(
            self.ledger, random.Random(seed), formats=formats, invalid=0, gzipped=0
        )

    def __enter__(self) -> Self:
        self.stack.start()
        self.background.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.background.stop()
        for name in ("collector", "bridge", "broker", "influx"):
            self.service(name).kill()

    def service(self, name: str) -> Service:
        service: Service = getattr(self.stack, name)
        return service

    def books(self) -> Books:
        return books_from_metrics(self.stack.collector.url)

    def load(self, rate: float, connections: int = 32) -> AbstractContextManager[Load]:
        """Post `rate` readings per second while the block runs."""
        port = self.stack.collector.port
        load = Load(self.devices, port=port, rate=rate, connections=connections, repeat=0)
        return self.background.running(load, timeout=60)

    def post(self, series: Series) -> int | None:
        """Post one reading; return the status, None when there is no response."""
        reading = self.ledger.attempt(series, time.time_ns(), 1.0)
        post = post_once(self.stack.collector.port, self.ledger, [reading])
        return self.background.run(post, timeout=60)

    def wait_drained(self, pending: float, timeout: float) -> None:
        """Wait until no more than `pending` readings are pending, or the timeout."""
        with contextlib.suppress(AssertionError):
            wait_for(lambda: self.books().pending <= pending, timeout)

    def violations(self) -> Figure:
        self.wait_drained(0, 5 * DRAIN_S)
        books = self.books()
        findings = check(self.ledger, influx_port=self.stack.influx.port, books=books)
        sys.stdout.write(f"{findings}\n")
        count = findings.counts.total() + books.pending
        return Figure("violations, and readings still pending", count, 0, "")


def p99_ms(load: Load, begin: float, end: float) -> float:
    """Return the 99th percentile of the responses between two instants."""
    times = zip(load.moments, load.latencies, strict=True)
    within = sorted(latency for moment, latency in times if begin <= moment < end)
    return within[int(len(within) * 0.99)] * 1000


def peak_mb(service: Service) -> float:
    """Return the peak resident memory of the process (VmHWM)."""
    status = Path(f"/proc/{service.pid}/status").read_text(encoding="utf-8")
    match = re.search(r"VmHWM:\s+(\d+) kB", status)
    assert match, status
    return int(match[1]) * 1024 / MB
