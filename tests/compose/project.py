"""A stack from docker-compose.yml with its own project name, ports and settings."""

import contextlib
import os
import re
import secrets
import socket
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

PORTS = ("COLLECTOR_PORT", "MQTT_PORT", "MQTTS_PORT", "INFLUX_PORT", "GRAFANA_PORT")
HEALTHY_S = 90.0
COMMAND_S = 300.0
LINE = re.compile(r"ts=\S+ type=temp value=\d+(\.\d+)? sensor_id=123")
"""A reading of the simulator in the collector's log."""


def two_free_ports() -> tuple[int, int]:
    """Return two ports, one behind the other."""
    while True:
        first = free_port()
        with contextlib.suppress(OSError), socket.socket() as second:
            second.bind(("127.0.0.1", first + 1))
            return first, first + 1


class Project:
    """One stack."""

    def __init__(
        self, client: DockerClient, command: Command, images: Images, directory: Path
    ) -> None:
        self.client = client
        self.services = images.services
        self.name = f"iot{secrets.token_hex(4)}"
        self.settings = {name: str(free_port()) for name in PORTS}
        """The content of its .env; `up` applies changes."""
        self._secrets: dict[str, str] = {}
        self._file = directory / f"{self.name}.env"
        self._argv = [
            *(*command, "--env-file", str(self._file), "--project-name", self.name),
            *("--project-directory", str(ROOT)),
            *(f"--file={path}" for path in images.files),
        ]

    def run(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a Compose command; with `check`, AssertionError with its output when it fails."""
        with self.process(*arguments) as process:
            try:
                output, _ = process.communicate(timeout=COMMAND_S)
            finally:
                process.kill()
        done = subprocess.CompletedProcess(process.args, process.returncode, output)
        assert not check or done.returncode == 0, f"{arguments}: {output}"
        return done

    def process(self, *arguments: str) -> "subprocess.Popen[str]":
        """Start a Compose command with stdout and stderr in one pipe."""
        self._file.write_text("".join(f"{k}={v}\n" for k, v in self.settings.items()))
        # A variable of the shell would override the file, so pass only what Compose needs.
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
        """Create and start what is missing or changed; return the output without waiting."""
        return self.run("up", "-d", *options, *self.services).stdout

    def exec(self, service: str, *command: str, check: bool = True) -> str:
        return self.run("exec", "-T", service, *command, check=check).stdout

    def container(self, service: str) -> Any:  # noqa: ANN401  # the SDK has no types
        """Return the first container of a service; raises docker.errors.NotFound."""
        for found in self.containers(service):
            return found
        raise docker.errors.NotFound(f"no container of {service}")

    def containers(self, service: str) -> list[Any]:
        """Return all containers of a service, in the order of their numbers."""
        wanted = {"project": self.name, "service": service, "oneoff": "False"}
        labels = [f"com.docker.compose.{name}={text}" for name, text in wanted.items()]
        found = self.client.containers.list(all=True, filters={"label": labels})
        return sorted(found, key=lambda one: int(one.labels["com.docker.compose.container-number"]))

    def state(self, service: str) -> str:
        """Return the health status, or the container's status if it has no healthcheck."""
        try:
            state = self.container(service).attrs["State"]
        except docker.errors.NotFound:
            return "missing"
        if state["Status"] == "exited" and not state["ExitCode"]:
            return "done"
        return str(state.get("Health", state)["Status"])

    def wait_healthy(self, services: Sequence[str] = (), timeout: float = HEALTHY_S) -> None:
        """Wait until all are healthy; AssertionError with the logs of those that are not."""

        def unhealthy() -> dict[str, str]:
            states = {name: self.state(name) for name in services or self.services}
            return {n: s for n, s in states.items() if s not in {"healthy", "running", "done"}}

        try:
            wait_for(lambda: not unhealthy(), timeout, "all healthy")
        except AssertionError as error:
            for name, state in unhealthy().items():
                error.add_note(f"{name} is {state}:\n{self.logs(name)[-3000:]}")
            raise

    def logs(self, service: str) -> str:
        """Return the log of a container; empty when there is none."""
        with contextlib.suppress(docker.errors.NotFound):
            return str(self.container(service).logs().decode(errors="replace"))
        return ""

    def port(self, name: str) -> int:
        """Return a published port by its setting, such as MQTT_PORT."""
        return int(self.settings[name])

    @property
    def address(self) -> str:
        return self.settings.get("BIND_ADDRESS", "127.0.0.1")

    @property
    def url(self) -> str:
        return f"http://{self.address}:{self.port('COLLECTOR_PORT')}"

    def accept(self, sensor_id: str, timeout: float = 20.0) -> None:
        """Post one reading with the value 25 again and again until it is accepted."""
        now = datetime.now(UTC).isoformat()
        reading = {"ts": now, "type": "temp", "value": 25, "sensor_id": sensor_id}

        def accepted() -> bool:
            try:
                return httpx.post(f"{self.url}/data", json=reading).text == "Created"
            except httpx.TransportError:
                return False

        wait_for(accepted, timeout, f"a reading of {sensor_id} accepted")

    def store(self, port: int, sensor_id: str) -> None:
        """Post one reading to a port until it is accepted, and wait until it is stored."""
        reading = {"ts": "2026-11-22T18:50:45Z", "type": "temp", "value": 1, "sensor_id": sensor_id}

        def accepted() -> bool:
            with contextlib.suppress(httpx.TransportError):
                return httpx.post(f"http://127.0.0.1:{port}/data", json=reading).is_success
            return False

        wait_for(accepted, 20, f"{sensor_id} accepted")
        wait_for(lambda: self.count(sensor_id) == 1, 20, f"{sensor_id} stored")

    def query(self, query: str, password: str | None = None) -> list[dict[str, Any]]:
        """Query InfluxDB on its published port; `password` replaces the one in .env."""
        if password is None:
            password = self.settings.get("INFLUX_PASSWORD") or self.secret("influx-bridge")
        client = InfluxDBClient(
            "127.0.0.1",
            self.port("INFLUX_PORT"),
            self.settings.get("INFLUX_USERNAME", "bridge"),
            password,
            self.settings.get("INFLUX_DATABASE", "iot"),
        )
        with contextlib.closing(client):
            return list(client.query(query).get_points())

    def secret(self, name: str) -> str:
        """Return a password of the stack, such as `broker-bridge`."""
        if name not in self._secrets:
            argv = ["run", "--rm", "--no-deps", "-T", "--entrypoint", "cat", "setup"]
            self._secrets[name] = self.run(*argv, f"/secrets/{name}").stdout.split()[-1]
        return self._secrets[name]

    def forget_secrets(self) -> None:
        """Read them again: those of another volume are others."""
        self._secrets.clear()

    def count(self, sensor_id: str, password: str | None = None) -> int:
        """Return how many readings of a sensor are in InfluxDB."""
        query = f"SELECT count(value) FROM data WHERE sensor_id = '{sensor_id}'"  # noqa: S608
        return int(sum(row["count"] for row in self.query(query, password)))

    def books(self) -> Books:
        return books_from_metrics(self.url)

    def close(self) -> None:
        """Remove all containers, networks and volumes."""
        self.run("down", "--volumes", "--remove-orphans", "--timeout", "2")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
