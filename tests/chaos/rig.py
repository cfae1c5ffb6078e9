"""The whole pipeline as real processes, with a proxy between each pair and a stub before InfluxDB.

devices ─▶ collector ─▶ broker ◀─ bridge ─▶ stub ─▶ InfluxDB
        ▲            ▲          ▲        ▲            └── the checker reads here
        └────────────┴── proxies┴────────┘
"""

import contextlib
import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Self

from tests.chaos.background import Background
from tests.chaos.books import Books, told_by_metrics
from tests.chaos.checker import Findings, check
from tests.chaos.devices import Devices
from tests.chaos.influx_stub import InfluxStub
from tests.chaos.ledger import Ledger, Verdict
from tests.chaos.load import Load
from tests.chaos.proxy import Proxy
from tests.stack import Bridge, Broker, Collector, Influx, Service, free_port, wait_for

DRAIN_S = 60.0
LAST_REQUEST_S = 30.0


class Rig:
    """The pipeline, the devices' load on it, and what they were told."""

    def __init__(self, directory: Path, *, seed: int) -> None:
        """Prepare all parts under `directory`; nothing is started yet."""
        self.rng = random.Random(seed)
        self.ledger = Ledger()
        self.devices = Devices(self.ledger, self.rng)
        self.background = Background()
        self.influx = Influx(directory / "influx")
        self.broker = Broker(directory / "broker")
        self.stub = InfluxStub(port=free_port(), upstream=self.influx.port)
        collector_port = free_port()
        self.device_side = Proxy("device-collector", port=free_port(), upstream=collector_port)
        self.collector_side = Proxy("collector-broker", port=free_port(), upstream=self.broker.port)
        self.bridge_side = Proxy("bridge-broker", port=free_port(), upstream=self.broker.port)
        self.influx_side = Proxy("bridge-influx", port=free_port(), upstream=self.stub.port)
        self.collector = Collector(
            directory / "collector",
            mqtt_port=self.collector_side.port,
            influx_port=self.influx.port,
            port=collector_port,
        )
        self.bridge = Bridge(
            directory / "bridge",
            mqtt_port=self.bridge_side.port,
            influx_port=self.influx_side.port,
        )

    @property
    def proxies(self) -> list[Proxy]:
        """One for each pair."""
        return [self.device_side, self.collector_side, self.bridge_side, self.influx_side]

    @property
    def services(self) -> list[Service]:
        """The four, senders last."""
        return [self.influx, self.broker, self.bridge, self.collector]

    def start(self) -> Self:
        """Start everything and wait until the pipeline works."""
        self.background.start()
        self.stub.start()
        for proxy in self.proxies:
            self.background.run(proxy.start(), timeout=5)
        self.heal()
        return self

    def stop(self) -> None:
        """Stop everything; no process is left."""
        with contextlib.ExitStack() as stack:
            stack.callback(self.background.stop)
            stack.callback(self.stub.close)
            stack.callback(self._close_proxies)
            for service in self.services:
                stack.callback(service.kill)

    def __enter__(self) -> Self:
        try:
            return self.start()
        except BaseException:
            self.stop()
            raise

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _close_proxies(self) -> None:
        for proxy in self.proxies:
            self.background.run(proxy.close(), timeout=5)

    def heal(self) -> None:
        """End every fault and wait until each service works."""
        self.stub.mood = "pass"
        for proxy in self.proxies:
            proxy.heal()
        for service in self.services:
            if service.running:
                service.resume()
            else:
                service.start()
        for service in self.services:
            service.wait_ready(timeout=30)

    @contextlib.contextmanager
    def load(self, rate: float, connections: int = 8) -> Iterator[Load]:
        """Post `rate` readings a second through the proxy while the block runs."""
        load = Load(self.devices, port=self.device_side.port, rate=rate, connections=connections)
        work = self.background.spawn(load.run())
        try:
            yield load
        finally:
            self.background.loop.call_soon_threadsafe(load.stop)
            work.result(LAST_REQUEST_S)

    def acknowledged(self, more: int) -> None:
        """Wait until the load has had `more` readings acknowledged from now on."""
        goal = self.ledger.posts[Verdict.ACKNOWLEDGED] + more
        wait_for(
            lambda: self.ledger.posts[Verdict.ACKNOWLEDGED] >= goal, 30, f"{more} acknowledged"
        )

    def books(self) -> Books:
        """Return what the collector says it holds."""
        return told_by_metrics(self.collector.url)

    def drain(self, timeout: float = DRAIN_S) -> Books:
        """Wait until nothing is pending; AssertionError with the books at the deadline."""
        deadline = time.monotonic() + timeout
        while (books := self.books()).pending and time.monotonic() < deadline:
            with contextlib.suppress(AssertionError):
                wait_for(lambda: not self.books().pending, 1, "drained")
        assert not books.pending, f"not drained within {timeout} s: {books}"
        return books

    def verdict(self, drain_timeout: float = DRAIN_S) -> Findings:
        """Heal, drain, and compare; the load must have ended."""
        self.heal()
        books = self.drain(drain_timeout)
        return check(self.ledger, influx_port=self.influx.port, books=books)
