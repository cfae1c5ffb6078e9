"""docker-compose.yml brought up under a name, on ports and with settings of its own."""

import contextlib
import os
import re
import secrets
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

import docker
import httpx
from docker import DockerClient
from influxdb import InfluxDBClient

from run.configuration import ROOT
from tests.chaos.books import Books, books_from_metrics
from tests.compose.compose_cli import Command
from tests.compose.images import Images
from tests.service import free_port, wait_for

PORTS = ("COLLECTOR_PORT", "MQTT_PORT", "INFLUX_PORT", "GRAFANA_PORT")
HEALTHY_S = 90.0
COMMAND_S = 300.0
LINE = re.compile(r"ts=\S+ type=temp value=\d+ sensor_id=123")
"""A reading of the simulator as the collector logs it."""


class Project:
    """One stack. Container names are fixed, so there is one at a time on an engine."""

    def __init__(
        self, client: DockerClient, command: Command, images: Images, directory: Path
    ) -> None:
        """Prepare a stack driven with `command`; nothing is started."""
        self.client = client
        self.services = images.services
        self.name = f"iot{secrets.token_hex(4)}"
        self.settings = {name: str(free_port()) for name in PORTS}
        """What its .env holds; `up` makes changes take effect."""
        self._file = directory / f"{self.name}.env"
        self._argv = [
            *(*command, "--env-file", str(self._file), "--project-name", self.name),
            *("--project-directory", str(ROOT)),
            *(f"--file={path}" for path in images.files),
        ]

    def run(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run the Compose command; AssertionError with its output when it fails, if `check`."""
        with self.process(*arguments) as process:
            try:
                output, _ = process.communicate(timeout=COMMAND_S)
            finally:
                process.kill()
        done = subprocess.CompletedProcess(process.args, process.returncode, output)
        assert not check or done.returncode == 0, f"{arguments}: {output}"
        return done

    def process(self, *arguments: str) -> "subprocess.Popen[str]":
        """Start the Compose command, its output and errors in one pipe."""
        self._file.write_text("".join(f"{k}={v}\n" for k, v in self.settings.items()))
        # Only what it needs: a variable of the shell would win over the file.
        passed = ("PATH", "HOME", "DOCKER_HOST", "DOCKER_CONFIG")
        return subprocess.Popen(
            [*self._argv, *arguments],
            cwd=ROOT,
            env={name: os.environ[name] for name in passed if name in os.environ},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def up(self, *options: str) -> str:
        """Start, or make anew what changed, and return the output at once."""
        return self.run("up", "-d", *options, *self.services).stdout

    def exec(self, service: str, *command: str, check: bool = True) -> str:
        """Run a command in a container, as the README has it."""
        return self.run("exec", "-T", service, *command, check=check).stdout

    def container(self, service: str) -> Any:  # noqa: ANN401  # the SDK has no types
        """Return the container as it is now."""
        return self.client.containers.get(service)

    def state(self, service: str) -> str:
        """Return `healthy`, `starting`, `unhealthy`, or without a healthcheck what Docker says."""
        try:
            state = self.container(service).attrs["State"]
        except docker.errors.NotFound:
            return "missing"
        return str(state.get("Health", state)["Status"])

    def wait_healthy(self, services: Sequence[str] = (), timeout: float = HEALTHY_S) -> None:
        """Wait until all are healthy; AssertionError with state and log of those that are not."""

        def ill() -> dict[str, str]:
            states = {name: self.state(name) for name in services or self.services}
            return {n: s for n, s in states.items() if s not in {"healthy", "running"}}

        try:
            wait_for(lambda: not ill(), timeout, "all healthy")
        except AssertionError as late:
            for name, state in ill().items():
                late.add_note(f"{name} is {state}:\n{self.logs(name)[-3000:]}")
            raise

    def logs(self, service: str) -> str:
        """Return what a container has written so far."""
        with contextlib.suppress(docker.errors.NotFound):
            return str(self.container(service).logs().decode(errors="replace"))
        return ""

    def port(self, name: str) -> int:
        """Return a published port by the name of its setting."""
        return int(self.settings[name])

    @property
    def address(self) -> str:
        """Where the published ports listen."""
        return self.settings.get("BIND_ADDRESS", "127.0.0.1")

    @property
    def url(self) -> str:
        """The collector's address."""
        return f"http://{self.address}:{self.port('COLLECTOR_PORT')}"

    def accept(self, sensor_id: str, timeout: float = 20.0) -> None:
        """Post one reading of 25 as a patient device would, until it is accepted."""
        now = datetime.now(UTC).isoformat()
        reading = {"ts": now, "type": "temp", "value": 25, "sensor_id": sensor_id}

        def accepted() -> bool:
            try:
                return httpx.post(f"{self.url}/data", json=reading).text == "Created"
            except httpx.TransportError:
                return False

        wait_for(accepted, timeout, f"a reading of {sensor_id} accepted")

    def query(self, query: str, password: str | None = None) -> list[dict[str, Any]]:
        """Return the rows that InfluxDB answers on its published port.

        `password` takes the place of the one that .env holds.
        """
        if password is None:
            password = self.settings.get("INFLUX_PASSWORD", "")
        client = InfluxDBClient(
            self.address,
            self.port("INFLUX_PORT"),
            self.settings.get("INFLUX_USERNAME", ""),
            password,
            self.settings.get("INFLUX_DATABASE", "iot"),
        )
        with contextlib.closing(client):
            return list(client.query(query).get_points())

    def count(self, sensor_id: str, password: str | None = None) -> int:
        """Return how many readings of a sensor InfluxDB holds."""
        query = f"SELECT count(value) FROM data WHERE sensor_id = '{sensor_id}'"  # noqa: S608
        return int(sum(row["count"] for row in self.query(query, password)))

    def books(self) -> Books:
        """Return what the collector says it holds."""
        return books_from_metrics(self.url)

    def close(self) -> None:
        """Leave nothing: no container, network or volume."""
        self.run("down", "--volumes", "--remove-orphans", "--timeout", "2")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
