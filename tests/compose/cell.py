"""docker-stack.yml on the tests' engine: a swarm of one node, with its database beside it."""

import contextlib
import os
import random
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import docker
from docker import DockerClient

from run import stack
from run.configuration import ROOT
from tests.chaos.background import Background
from tests.chaos.books import LINE
from tests.chaos.checker import Findings, check
from tests.chaos.devices import Devices
from tests.chaos.ledger import Ledger, PostOutcome
from tests.chaos.load import Load
from tests.compose.images import COMPOSE_FILE, OURS, TEST_REPOSITORY, Images
from tests.service import free_port, wait_for

STACK_FILE = COMPOSE_FILE.with_name("docker-stack.yml")
SERVICES = ("collector", "broker", "bridge")
PORTS = ("COLLECTOR_PORT", "MQTT_PORT", "MQTTS_PORT", "GRAFANA_PORT")
RATE = 300
READY_S = 90.0


class Cell:
    """A cell, the database `db`, and devices that post with the identity `simulator`."""

    def __init__(self, client: DockerClient, images: Images, directory: Path) -> None:
        self.client = client
        self.directory = directory
        self.ports = {name: free_port() for name in PORTS}
        self.influx_port = free_port()
        self.ledger = Ledger()
        self._images = images
        self._background = Background()
        self._db: Any = None

    def __enter__(self) -> Self:
        self._background.start()
        self.client.swarm.init(advertise_addr="127.0.0.1", listen_addr="127.0.0.1:2377")
        node = self.client.nodes.list()[0]
        node.update({**node.attrs["Spec"], "Labels": {"iot.cell": "true"}})
        self.make()
        self.deploy()
        self._start_database()
        self.wait_ready()
        return self

    def __exit__(self, *_: object) -> None:
        self._background.stop()
        self.client.swarm.leave(force=True)
        label = "com.docker.stack.namespace=iot"
        for container in self.client.containers.list(all=True, filters={"label": label}):
            with contextlib.suppress(docker.errors.APIError):  # the engine removes it as well
                container.remove(force=True, v=True)
        if self._db:
            self._db.remove(force=True, v=True)
        for volume in self.client.volumes.list(filters={"name": "iot_"}):
            volume.remove(force=True)

    def make(self) -> None:
        """Do what `make stack` does."""
        stack.put(self.client, self.directory, stack.make_secrets(self.directory, {}))

    def deploy(self) -> None:
        """Deploy the stack file as it is, with the settings of a shell."""
        names = {**self._images.names, **{name: f"{TEST_REPOSITORY}/{name}" for name in OURS}}
        settings = {f"{name.upper()}_IMAGE": names[name] for name in (*SERVICES, "dashboard")}
        settings |= {name: str(port) for name, port in self.ports.items()}
        self.docker("stack", "deploy", "-c", str(STACK_FILE), "iot", **settings)
        if "dashboard" not in self._images.services:
            self.client.services.get("iot_dashboard").remove()

    def docker(self, *arguments: str, **settings: str) -> str:
        """Run a docker command; AssertionError with its output when it fails."""
        done = subprocess.run(
            ["docker", *arguments],
            env={**os.environ, **settings},
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{arguments}: {done.stdout}"
        return done.stdout

    def _start_database(self) -> None:
        environment = {"INFLUXDB_HTTP_AUTH_ENABLED": "true", "INFLUXDB_DATA_INDEX_VERSION": "tsi1"}
        self._db = self.client.containers.create(
            self._images.names["db"],
            environment=environment,
            ports={"8086/tcp": ("127.0.0.1", self.influx_port)},
        )
        self.client.networks.get("iot_data").connect(self._db, aliases=["db"])
        self._db.start()

    def container(self, service: str) -> Any:  # noqa: ANN401  # the SDK has no types
        """Return the running container of a service; None when there is none."""
        label = f"com.docker.swarm.service.name=iot_{service}"
        return next(iter(self.client.containers.list(filters={"label": label})), None)

    def exec(self, service: str, *command: str) -> str:
        """Return what a command in a service's container prints; "" when it fails."""
        with contextlib.suppress(docker.errors.APIError, AttributeError):
            code, output = self.container(service).exec_run(list(command))
            return output.decode() if code == 0 else ""
        return ""

    def kill(self, service: str) -> None:
        """Kill everything in a service's container with -9, and wait for the next container."""
        old = self.container(service)
        old.exec_run(["sh", "-c", "kill -9 -1"])
        self.wait_replaced(service, old.id)

    def wait_replaced(self, service: str, old: str) -> None:
        """Wait until a service has another container than this one."""
        wait_for(
            lambda: (new := self.container(service)) and new.id != old,
            READY_S,
            f"{service} started again",
        )

    def wait_ready(self) -> None:
        """Wait until each service is healthy, and the bridge stores."""

        def is_healthy(service: str) -> bool:
            found = self.container(service)
            return bool(found) and found.attrs["State"]["Health"]["Status"] == "healthy"

        for service in SERVICES:
            wait_for(lambda: is_healthy(service), READY_S, f"{service} healthy")  # noqa: B023
        wait_for(
            lambda: "storing" in self.exec("bridge", "python", "-m", "bridge", "--check"),
            READY_S,
            "the bridge stores",
        )

    @property
    def token(self) -> str:
        return self.secret("simulator")

    def secret(self, name: str) -> str:
        return (self.directory / "secrets" / name).read_text(encoding="utf-8").strip()

    @contextlib.contextmanager
    def load(self) -> Iterator[None]:
        """Post RATE readings per second while the block runs, and until some are acknowledged."""
        devices = Devices(self.ledger, random.Random(), token=self.token)
        load = Load(devices, port=self.ports["COLLECTOR_PORT"], rate=RATE)
        with self._background.running(load, timeout=30):
            self._wait_acknowledged()
            yield
            self._wait_acknowledged()

    def _wait_acknowledged(self) -> None:
        goal = self.ledger.posts[PostOutcome.ACKNOWLEDGED] + RATE // 4
        wait_for(
            lambda: self.ledger.posts[PostOutcome.ACKNOWLEDGED] >= goal, READY_S, "acknowledged"
        )

    def findings(self) -> Findings:
        """Wait until all is healthy and nothing pending; compare InfluxDB with the ledger."""
        self.wait_ready()
        wait_for(lambda: self._pending() == 0, READY_S, "nothing pending")
        account = f"bridge:{self.secret('influx-bridge')}"
        return check(self.ledger, influx_port=self.influx_port, account=account)

    def _pending(self) -> int | None:
        found = dict(LINE.findall(self.exec("collector", "python", "-m", "collector", "books")))
        return int(found["pending"]) if found else None
