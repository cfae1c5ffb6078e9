"""The pipeline as real processes, with a proxy on each connection and a stub before InfluxDB.

devices ─▶ collector ─▶ broker ◀─ bridge ─▶ stub ─▶ InfluxDB
   │    ▲            ▲  ▲▲      ▲        ▲            └── the checker reads here
   │    └────────────┴──┼┴──────┴────────┴─ proxies
   └─ by MQTT ──────────┘
"""

import contextlib
import random
import shutil
import sys
import time
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Self

from tests.chaos.background import Background
from tests.chaos.books import Books, books_from_command, books_from_metrics
from tests.chaos.checker import Findings, check
from tests.chaos.devices import Devices
from tests.chaos.disk import Disk
from tests.chaos.influx_stub import InfluxStub
from tests.chaos.ledger import Ledger, PostOutcome, Reading
from tests.chaos.load import Load
from tests.chaos.mqtt_devices import MqttLoad
from tests.chaos.proxy import Proxy
from tests.stack import Bridge, Broker, Collector, Influx, Service, free_port, wait_for

DRAIN_S = 60.0
DISK_MB = 512
INFLUX_DISK_MB = 256
REPAIR_S = 30.0
"""How long what InfluxDB has forgotten may be missing (times the PATIENCE of `wait_for`)."""
INFLUX_FILES = 1024
"""InfluxDB's file descriptors, as many as a service gets by default."""
CONFLICTING_WEEK_NS = 1_000_000_000_000_000_000
LAST_REQUEST_S = 30.0


class Rig:
    """The pipeline, the load on it, and the ledger."""

    def __init__(self, directory: Path, *, seed: int) -> None:
        """Prepare all parts under `directory`; for root, outbox and InfluxDB have small disks."""
        self.directory = directory
        self.outbox = directory / "disk" / "outbox.db"
        self.disk, self.influx_disk = (
            Disk(path, megabytes=megabytes) if Disk.possible() else None
            for path, megabytes in (
                (self.outbox.parent, DISK_MB),
                (directory / "influx", INFLUX_DISK_MB),
            )
        )
        self.clean = False
        """Whether the last check found no violation."""
        self.forgetful = False
        """Whether InfluxDB has forgotten readings since the last check."""
        self.log_is_torn = False
        """Whether InfluxDB's log has a hole: then each further kill makes it forget."""
        self.only_in_database: list[Reading] = []
        """Readings that were stored and whose outbox is lost."""
        self.rng = random.Random(seed)
        self.ledger = Ledger()
        self.devices = Devices(self.ledger, self.rng)
        self.background = Background()
        self.influx = Influx(directory / "influx")
        self.influx.argv = ["prlimit", f"--nofile={INFLUX_FILES}", "--", *self.influx.argv]
        self.broker = Broker(directory / "broker")
        self.stub = InfluxStub(port=free_port(), upstream=self.influx.port)
        self.mqtt_device_proxy = Proxy(port=free_port(), upstream=self.broker.port)
        self.collector_proxy = Proxy(port=free_port(), upstream=self.broker.port)
        self.bridge_proxy = Proxy(port=free_port(), upstream=self.broker.port)
        self.influx_proxy = Proxy(port=free_port(), upstream=self.stub.port)
        self.collector = Collector(
            directory / "collector",
            mqtt_port=self.collector_proxy.port,
            influx_port=self.influx.port,
            env={"OUTBOX_PATH": str(self.outbox)},
        )
        self.device_proxy = Proxy(port=free_port(), upstream=self.collector.port)
        self.bridge = Bridge(
            directory / "bridge",
            mqtt_port=self.bridge_proxy.port,
            influx_port=self.influx_proxy.port,
        )

    @property
    def proxies(self) -> list[Proxy]:
        return [
            self.device_proxy,
            self.mqtt_device_proxy,
            self.collector_proxy,
            self.bridge_proxy,
            self.influx_proxy,
        ]

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
        self.heal()
        wait_for(lambda: {"name": "iot"} in self.influx.query("SHOW DATABASES"), what="database")
        self.create_type_conflict()
        return self

    def stop(self) -> None:
        """Kill all processes; keep what is on the disks as evidence of a violation."""
        with contextlib.ExitStack() as stack:
            for disk in filter(None, (self.disk, self.influx_disk)):
                stack.callback(disk.unmount)
                if not self.clean:
                    evidence = self.directory / "evidence" / disk.path.name
                    stack.callback(shutil.copytree, disk.path, evidence)
            stack.callback(self.background.stop)
            stack.callback(self.stub.close)
            for proxy in self.proxies:
                stack.callback(self.background.run, proxy.close(), timeout=5)
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

    def heal(self) -> None:
        """End all faults and wait until each service is ready."""
        self.stub.pass_through()
        for disk in filter(None, (self.disk, self.influx_disk)):
            disk.free()
        for proxy in self.proxies:
            proxy.heal()
        for service in self.services:
            (service.resume if service.running else service.start)()
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

    def create_type_conflict(self) -> None:
        """Make InfluxDB reject floats of one week: in that shard `value` is an integer field."""
        self.influx.write(f"data,sensor_id=integer,type=integer value=1i {CONFLICTING_WEEK_NS}")
        self.ledger.ignored.add(("integer", "integer"))

    def database_forgets(self) -> None:
        """Note that InfluxDB forgets readings: those in the outbox must come back by themselves."""
        self.forgetful = True
        for reading in self.only_in_database:
            self.ledger.excuse(reading)
        self.only_in_database.clear()

    def load(
        self, rate: float, *, repeat: float = 0.03, path: str = "/data"
    ) -> AbstractContextManager[Load]:
        """Post `rate` readings per second through the proxy while the block runs."""
        load = Load(self.devices, port=self.device_proxy.port, rate=rate, repeat=repeat, path=path)
        return self.background.running(load, timeout=LAST_REQUEST_S)

    def mqtt_load(self, rate: float) -> AbstractContextManager[MqttLoad]:
        """Publish `rate` readings per second by MQTT through the proxy while the block runs."""
        load = MqttLoad(self.devices, port=self.mqtt_device_proxy.port, rate=rate)
        return self.background.running(load, timeout=LAST_REQUEST_S)

    def wait_acknowledged(self, more: int, *, by_mqtt: bool = False) -> None:
        """Wait until `more` readings are acknowledged from now on."""
        posts = self.ledger.posts_by_mqtt if by_mqtt else self.ledger.posts
        goal = posts[PostOutcome.ACKNOWLEDGED] + more
        wait_for(lambda: posts[PostOutcome.ACKNOWLEDGED] >= goal, 30, f"{more} acknowledged")

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
        is_well = "\nmissing               0 " in audit.stdout
        if not is_well or audit.returncode != bool(books.rejected):  # rejections are to be mended
            problems.append(f"audit: {audit.stdout} {audit.stderr}")
        return problems

    def check(self, drain_timeout: float = DRAIN_S) -> Findings:
        """Heal, drain, and compare. The load must have ended."""
        dead = [service.name for service in self.services if not service.running]
        self.heal()
        books = self.drain(drain_timeout)
        if self.log_is_torn:
            self.database_forgets()
        findings = check(self.ledger, influx_port=self.influx.port, books=books)
        if self.forgetful and findings.counts["lost"]:
            findings = self._check_repaired()
        for name in dead:
            findings.add("service failed", f"{name}: see {self.service(name).log}")
        if books.pending:
            findings.add(
                "still pending", f"{books.pending} pending {drain_timeout} s after healing"
            )
        self.clean = findings.clean
        self.forgetful = False
        return findings

    def _check_repaired(self) -> Findings:
        """Compare until nothing is lost, or the time for that is over."""
        findings: list[Findings] = []

        def repaired() -> bool:
            time.sleep(1)  # a comparison reads all points
            findings[:] = [check(self.ledger, influx_port=self.influx.port, books=self.books())]
            return not findings[0].counts["lost"]

        with contextlib.suppress(AssertionError):
            wait_for(repaired, REPAIR_S)
        return findings[0]
