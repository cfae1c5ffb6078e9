"""The whole pipeline as real processes, with a proxy between each pair and a stub before InfluxDB.

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
from tests.chaos.books import Books, told_by_command, told_by_metrics
from tests.chaos.checker import Findings, check
from tests.chaos.devices import Devices
from tests.chaos.disk import Disk
from tests.chaos.influx_stub import InfluxStub
from tests.chaos.ledger import Ledger, Verdict
from tests.chaos.load import Load, post_once
from tests.chaos.proxy import Proxy
from tests.stack import Bridge, Broker, Collector, Influx, Service, free_port, wait_for

DRAIN_S = 60.0
DISK_MB = 512
POISONED_WEEK_NS = 1_000_000_000_000_000_000
BRIDGE_ID = b"bridge"
LAST_REQUEST_S = 30.0


class Rig:
    """The pipeline, the devices' load on it, and what they were told."""

    def __init__(self, directory: Path, *, seed: int) -> None:
        """Prepare all parts under `directory`; nothing is started yet.

        Root gets a small disk of its own under the outbox, which can be filled.
        """
        self.directory = directory
        disk = directory / "disk"
        self.disk = Disk(disk, megabytes=DISK_MB) if Disk.possible() else None
        self.clean = False
        """What the last verdict said."""
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
            env={"OUTBOX_PATH": str(disk / "outbox.db")},
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
        self.influx.start()
        self.influx.wait_ready()
        self.plant_conflict()
        self.heal()
        return self

    def stop(self) -> None:
        """Stop everything; no process is left."""
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
        """End every fault and wait until each service works."""
        self.stub.be_honest()
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
        """Return the collector, broker, bridge or influx."""
        service: Service = getattr(self, name)
        return service

    def start_broken(self, service: Service, fault: str, *, after: int = 1) -> None:
        """Start the service with this fault of `broken.py` in it; the next start is honest."""
        honest = service.argv
        module = [sys.executable, "-m", "tests.chaos.broken"]
        service.argv = [*module, service.name, fault, str(after)]
        try:
            service.start()
        finally:
            service.argv = honest

    def discard_session(self) -> None:
        """Connect as the bridge with a clean session, and leave: the broker forgets its own."""
        body = b"\x00\x04MQTT\x04\x02\x00\x05\x00" + bytes([len(BRIDGE_ID)]) + BRIDGE_ID
        with socket.create_connection(("127.0.0.1", self.broker.port), timeout=5) as connection:
            connection.sendall(b"\x10" + bytes([len(body)]) + body)
            assert connection.recv(4) == b"\x20\x02\x00\x00"
            connection.sendall(b"\xe0\x00")

    def plant_conflict(self) -> None:
        """Make InfluxDB refuse floats of one week for good: its `value` is an integer there."""
        self.influx.query("CREATE DATABASE iot")
        self.influx.write(f"data,sensor_id=planted,type=planted value=1i {POISONED_WEEK_NS}")
        self.ledger.foreign.add(("planted", "planted"))

    def post_poison(self) -> None:
        """Post a few good readings and one of that week in one request."""
        self.background.run(self._post_poison(), timeout=30)

    async def _post_poison(self) -> None:
        series = self.ledger.series_of("poison", "temp")
        self.ledger.poison.add(series.key)
        good = self.ledger.series_of("beside poison", "temp")
        readings = [self.ledger.attempt(good, time.time_ns(), n / 7) for n in range(6)]
        offset = self.rng.randrange(3600 * 10**9)
        readings.insert(3, self.ledger.attempt(series, POISONED_WEEK_NS + offset, 0.5))
        await post_once(self.device_side.port, self.ledger, readings)

    @contextlib.contextmanager
    def load(self, rate: float, *, twice: float = 0.03, path: str = "/data") -> Iterator[Load]:
        """Post `rate` readings a second through the proxy while the block runs."""
        load = Load(self.devices, port=self.device_side.port, rate=rate, twice=twice, path=path)
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
        """Wait until nothing is pending or the time is over; return the books."""
        with contextlib.suppress(AssertionError):
            wait_for(lambda: not self.books().pending, timeout)
        return self.books()

    def commands(self) -> list[str]:
        """Return what the collector's own commands have to say against it, once all is drained."""
        books = self.books()
        complaints = []
        try:
            wait_for(lambda: told_by_command(self.collector) == books, 5)
        except AssertionError:
            complaints.append(f"metrics: {books}; books: {told_by_command(self.collector)}")
        audit = self.collector.command("audit", "--since", "24h")
        if audit.returncode:
            complaints.append(f"audit: {audit.stdout} {audit.stderr}")
        return complaints

    def verdict(self, drain_timeout: float = DRAIN_S) -> Findings:
        """Heal, drain, and compare; the load must have ended."""
        dead = [service.name for service in self.services if not service.running]
        self.heal()
        books = self.drain(drain_timeout)
        findings = check(self.ledger, influx_port=self.influx.port, books=books)
        for name in dead:
            findings.add("died", f"{name}: see {self.service(name).log}")
        if books.pending:
            findings.add("undrained", f"{books.pending} pending {drain_timeout} s after healing")
        self.clean = findings.clean
        return findings
