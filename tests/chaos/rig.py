"""The pipeline as real processes, with a proxy on each connection and a stub before InfluxDB.

devices ─▶ collector ─▶ broker ◀─ bridge ─▶ stub ─▶ InfluxDB
        ▲            ▲          ▲        ▲            └── the checker reads here
        └────────────┴── proxies┴────────┘
"""

import contextlib
import random
import shutil
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Self

from tests.chaos.background import Background
from tests.chaos.books import Books, books_from_command, books_from_metrics
from tests.chaos.checker import Findings, check
from tests.chaos.devices import Devices
from tests.chaos.disk import Disk
from tests.chaos.influx_stub import InfluxStub
from tests.chaos.ledger import Ledger, PostOutcome
from tests.chaos.load import Load, post_once
from tests.chaos.proxy import Proxy
from tests.stack import Bridge, Broker, Collector, Influx, Service, free_port, wait_for

DRAIN_S = 60.0
DISK_MB = 512
CONFLICTING_WEEK_NS = 1_000_000_000_000_000_000
BRIDGE_ID = b"bridge"
LAST_REQUEST_S = 30.0


class Rig:
    """The pipeline, the load on it, and the ledger."""

    def __init__(self, directory: Path, *, seed: int) -> None:
        """Prepare all parts under `directory`, for root with a small disk for the outbox."""
        self.directory = directory
        disk = directory / "disk"
        self.disk = Disk(disk, megabytes=DISK_MB) if Disk.possible() else None
        self.clean = False
        """Whether the last check found no violation."""
        self.rng = random.Random(seed)
        self.ledger = Ledger()
        self.devices = Devices(self.ledger, self.rng)
        self.background = Background()
        self.influx = Influx(directory / "influx")
        self.broker = Broker(directory / "broker")
        self.stub = InfluxStub(port=free_port(), upstream=self.influx.port)
        collector_port = free_port()
        self.device_proxy = Proxy(port=free_port(), upstream=collector_port)
        self.collector_proxy = Proxy(port=free_port(), upstream=self.broker.port)
        self.bridge_proxy = Proxy(port=free_port(), upstream=self.broker.port)
        self.influx_proxy = Proxy(port=free_port(), upstream=self.stub.port)
        self.collector = Collector(
            directory / "collector",
            mqtt_port=self.collector_proxy.port,
            influx_port=self.influx.port,
            port=collector_port,
            env={"OUTBOX_PATH": str(disk / "outbox.db")},
        )
        self.bridge = Bridge(
            directory / "bridge",
            mqtt_port=self.bridge_proxy.port,
            influx_port=self.influx_proxy.port,
        )

    @property
    def proxies(self) -> list[Proxy]:
        return [self.device_proxy, self.collector_proxy, self.bridge_proxy, self.influx_proxy]

    @property
    def services(self) -> list[Service]:
        """The four, each after those it sends to."""
        return [self.influx, self.broker, self.bridge, self.collector]

    def start(self) -> Self:
        """Start everything and wait until it is ready."""
        self.background.start()
        self.stub.start()
        for proxy in self.proxies:
            self.background.run(proxy.start(), timeout=5)
        self.influx.start()
        self.influx.wait_ready()
        self._create_type_conflict()
        self.heal()
        return self

    def stop(self) -> None:
        """Kill all processes; keep the outbox's disk as evidence of a violation."""
        with contextlib.ExitStack() as stack:
            if self.disk:
                stack.callback(self.disk.unmount)
                if not self.clean:
                    stack.callback(shutil.copytree, self.disk.path, self.directory / "evidence")
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
        """End all faults and wait until each service is ready."""
        self.stub.pass_through()
        if self.disk:
            self.disk.free()
        for proxy in self.proxies:
            proxy.heal()
        for service in self.services:
            if service.running:
                service.resume()
            else:
                service.start()
        for service in self.services:
            service.wait_ready(timeout=30)

    def service(self, name: str) -> Service:
        service: Service = getattr(self, name)
        return service

    def start_with_fault(self, service: Service, fault: str, *, after: int = 1) -> None:
        """Start the service with a fault of `broken.py`. Its next start is a normal one."""
        normal = service.argv
        module = [sys.executable, "-m", "tests.chaos.broken"]
        service.argv = [*module, service.name, fault, str(after)]
        try:
            service.start()
        finally:
            service.argv = normal

    def discard_session(self) -> None:
        """Make the broker discard the bridge's session, by a clean session with its client id."""
        body = b"\x00\x04MQTT\x04\x02\x00\x05\x00" + bytes([len(BRIDGE_ID)]) + BRIDGE_ID
        with socket.create_connection(("127.0.0.1", self.broker.port), timeout=5) as connection:
            connection.sendall(b"\x10" + bytes([len(body)]) + body)
            assert connection.recv(4) == b"\x20\x02\x00\x00"
            connection.sendall(b"\xe0\x00")

    def _create_type_conflict(self) -> None:
        """Make InfluxDB reject floats of one week: in that shard `value` is an integer field."""
        self.influx.query("CREATE DATABASE iot")
        self.influx.write(f"data,sensor_id=integer,type=integer value=1i {CONFLICTING_WEEK_NS}")
        self.ledger.ignored.add(("integer", "integer"))

    def post_rejected(self) -> None:
        """Post six good readings and one that InfluxDB rejects in one request."""
        self.background.run(self._post_rejected(), timeout=30)

    async def _post_rejected(self) -> None:
        series = self.ledger.series_of("rejected", "temp")
        self.ledger.rejected.add(series.key)
        good = self.ledger.series_of("beside rejected", "temp")
        readings = [self.ledger.attempt(good, time.time_ns(), n / 7) for n in range(6)]
        offset = self.rng.randrange(3600 * 10**9)
        readings.insert(3, self.ledger.attempt(series, CONFLICTING_WEEK_NS + offset, 0.5))
        await post_once(self.device_proxy.port, self.ledger, readings)

    @contextlib.contextmanager
    def load(self, rate: float, *, repeat: float = 0.03, path: str = "/data") -> Iterator[Load]:
        """Post `rate` readings per second through the proxy while the block runs."""
        load = Load(self.devices, port=self.device_proxy.port, rate=rate, repeat=repeat, path=path)
        work = self.background.spawn(load.run())
        try:
            yield load
        finally:
            self.background.loop.call_soon_threadsafe(load.stop)
            work.result(LAST_REQUEST_S)

    def wait_acknowledged(self, more: int) -> None:
        """Wait until `more` readings are acknowledged from now on."""
        goal = self.ledger.posts[PostOutcome.ACKNOWLEDGED] + more
        wait_for(
            lambda: self.ledger.posts[PostOutcome.ACKNOWLEDGED] >= goal, 30, f"{more} acknowledged"
        )

    def books(self) -> Books:
        return books_from_metrics(self.collector.url)

    def drain(self, timeout: float = DRAIN_S) -> Books:
        """Wait until nothing is pending, or the timeout; return the books."""
        with contextlib.suppress(AssertionError):
            wait_for(lambda: not self.books().pending, timeout)
        return self.books()

    def check_commands(self) -> list[str]:
        """Return what `books` and `audit` find wrong. Nothing may be pending."""
        books = self.books()
        problems = []
        try:
            wait_for(lambda: books_from_command(self.collector) == books, 5)
        except AssertionError:
            problems.append(f"metrics: {books}; books: {books_from_command(self.collector)}")
        audit = self.collector.command("audit", "--since", "24h")
        if audit.returncode:
            problems.append(f"audit: {audit.stdout} {audit.stderr}")
        return problems

    def check(self, drain_timeout: float = DRAIN_S) -> Findings:
        """Heal, drain, and compare. The load must have ended."""
        dead = [service.name for service in self.services if not service.running]
        self.heal()
        books = self.drain(drain_timeout)
        findings = check(self.ledger, influx_port=self.influx.port, books=books)
        for name in dead:
            findings.add("service failed", f"{name}: see {self.service(name).log}")
        if books.pending:
            findings.add(
                "still pending", f"{books.pending} pending {drain_timeout} s after healing"
            )
        self.clean = findings.clean
        return findings
