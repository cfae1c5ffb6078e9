"""docker-stack.yml on three machines; HAProxy before the cells, and InfluxDB beside them."""

import contextlib
import random
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Self

import httpx

from run import stack
from run.configuration import ROOT
from tests.balancer import Balancer, Cell
from tests.chaos.background import Background
from tests.chaos.books import LINE
from tests.chaos.checker import Findings, check
from tests.chaos.devices import Devices
from tests.chaos.ledger import Ledger, PostOutcome
from tests.chaos.load import Load
from tests.service import wait_for
from tests.stack import Influx
from tests.swarm.engine import Engine
from tests.swarm.swarm import HERE, Swarm

HTTP, MQTT, DATABASE = 1337, 1883, 8086
RATE = 300
READY_S = 60.0


class Cells:
    """The cells of a swarm, and devices that post to all of them through HAProxy."""

    def __init__(self, swarm: Swarm, images: Mapping[str, str], directory: Path) -> None:
        self.swarm = swarm
        self.ledger = Ledger()
        self.secrets = directory / ".stack"
        self.influx = Influx(directory / "influx")
        self._images = images
        self._background = Background()
        database = f"listen database\n mode tcp\n bind {HERE}:{DATABASE}\n server influx 127.0.0.1"
        self.balancer = Balancer(
            directory / "haproxy",
            [Cell(address, HTTP, MQTT) for address in swarm.addresses],
            f"{database}:{self.influx.port}",
        )

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            stack.enter_context(self._background)
            self._deploy()
            self.influx.use_account("bridge", self.secret("influx-bridge"))
            for service in (self.influx, self.balancer):
                stack.callback(service.kill)
                service.start()
            self.wait_ready()
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def secret(self, name: str) -> str:
        return (self.secrets / "secrets" / name).read_text(encoding="utf-8").strip()

    def docker(self, *arguments: str) -> str:
        """Run a command at a manager that runs, again and again while the swarm has no leader."""

        def done() -> str:
            result = self.swarm.manager.docker(*arguments, check=False)
            return result.stdout if not result.returncode else ""

        return wait_for(done, READY_S, f"docker {arguments}")

    @contextlib.contextmanager
    def load(self) -> Iterator[None]:
        """Post RATE readings per second while the block runs, and until some are acknowledged."""
        devices = Devices(self.ledger, random.Random(), token=self.secret("simulator"))
        load = Load(devices, port=self.balancer.http, rate=RATE)
        with self._background.running(load, timeout=60):
            self.wait_acknowledged()
            yield
            self.wait_acknowledged()

    def wait_acknowledged(self) -> None:
        """Wait until readings of two seconds are acknowledged."""
        posts = self.ledger.posts
        goal = posts[PostOutcome.ACKNOWLEDGED] + 2 * RATE
        wait_for(lambda: posts[PostOutcome.ACKNOWLEDGED] >= goal, READY_S, "acknowledged")

    def is_ready(self, number: int) -> bool:
        """Whether the collector of a cell is ready."""
        try:
            url = f"http://{self.swarm.addresses[number]}:{HTTP}/readyz"
            return httpx.get(url, timeout=2).status_code == httpx.codes.OK
        except httpx.TransportError:
            return False

    def wait_ready(self) -> None:
        for number, engine in enumerate(self.swarm.engines):
            wait_for(lambda n=number: self.is_ready(n), READY_S, f"{engine.name} ready")  # type: ignore[misc]

    def findings(self) -> Findings:
        """Wait until all are ready and nothing is pending; compare InfluxDB with the ledger."""
        self.wait_ready()
        for engine in self.swarm.engines:
            wait_for(lambda e=engine: self._pending(e) == 0, READY_S, "nothing pending")  # type: ignore[misc]
        account = f"bridge:{self.secret('influx-bridge')}"
        return check(self.ledger, influx_port=self.influx.port, account=account)

    def _pending(self, engine: Engine) -> int | None:
        label = "label=com.docker.swarm.service.name=iot_collector"
        container = engine.docker("ps", "--quiet", "--filter", label).stdout.strip()
        books = engine.docker("exec", container, "python", "-m", "collector", "books", check=False)
        found = dict(LINE.findall(books.stdout))
        return int(found["pending"]) if found else None

    def _deploy(self) -> None:
        manager = self.swarm.manager
        with contextlib.closing(manager.client()) as client:
            stack.put(client, self.secrets, stack.make_secrets(self.secrets, {}))
        for engine in self.swarm.engines:
            self.docker("node", "update", "--label-add", "iot.cell=true", engine.name)
        settings = {f"{name.upper()}_IMAGE": image for name, image in self._images.items()}
        file = str(ROOT / "docker-stack.yml")
        manager.docker(
            *("stack", "deploy", "--resolve-image", "never", "--compose-file", file, "iot"),
            settings={**settings, "INFLUX_HOST": HERE},
        )
        manager.docker("service", "rm", "iot_dashboard")  # its image is nowhere to be had
