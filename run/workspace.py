"""The ports and the directory that `make run` uses."""

import fcntl
import os
import shutil
import socket
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Self

from run.configuration import (
    ROOT,
    SEARCH_PATH,
    write_broker_configuration,
    write_influx_configuration,
)

PORTS = {"COLLECTOR_PORT": 1337, "MQTT_PORT": 1883, "INFLUX_PORT": 8086, "GRAFANA_PORT": 3000}
SERVICES = {"MQTT_PORT": "mosquitto", "INFLUX_PORT": "influxdb", "GRAFANA_PORT": "grafana-server"}
HIGHEST_PORT = 65535


class WorkspaceError(Exception):
    """The pipeline cannot run; the message says why and what to change."""


@dataclass(frozen=True)
class Workspace:
    """The services' ports on 127.0.0.1 and the directory with their data.

    `inherited` is the environment that the services get in addition to their settings.
    """

    ports: Mapping[str, int]
    directory: Path
    inherited: Mapping[str, str]

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Self:
        """Read the variables in PORTS and RUN_DIR. Raises WorkspaceError for an invalid port."""
        ports = {
            name: _port(name, environment.get(name) or default) for name, default in PORTS.items()
        }
        _check_distinct(ports)
        directory = Path(environment.get("RUN_DIR") or ".run")
        return cls(ports, ROOT / directory, environment)

    @property
    def has_grafana(self) -> bool:
        return shutil.which("grafana-server", path=SEARCH_PATH) is not None

    def prepare(self) -> None:
        """Lock the directory and write the configuration files.

        Raises WorkspaceError if a port is in use or the directory cannot be used.
        """
        self._check_ports()
        broker, database = self.directory / "broker", self.directory / "db"
        try:
            for path in (broker, database, self.directory / "dashboard"):
                path.mkdir(parents=True, exist_ok=True)
            self._lock()
            write_broker_configuration(broker, self.ports["MQTT_PORT"])
            write_influx_configuration(database, self.ports["INFLUX_PORT"])
        except OSError as error:
            raise WorkspaceError(
                f"RUN_DIR={self.directory} cannot be used: {error.strerror or error}"
            ) from error

    def environment(self) -> dict[str, str]:
        """Return the environment variables that all services share."""
        ports = {name: str(port) for name, port in self.ports.items()}
        fixed = {
            "MQTT_HOST": "127.0.0.1",
            "INFLUX_HOST": "127.0.0.1",
            "OUTBOX_PATH": str(self.directory / "outbox.db"),
            "RUN_DIR": str(self.directory),
            "PYTHONUNBUFFERED": "1",
            "PATH": f"{Path(sys.executable).parent}:{SEARCH_PATH}",
        }
        return {
            "INFLUX_DATABASE": "iot",
            **self.inherited,
            **ports,
            **fixed,
            **self._grafana_environment(),
        }

    def _grafana_environment(self) -> dict[str, str]:
        dashboards = ROOT / "grafana" / "dashboards"
        return {
            "INFLUX_URL": f"http://127.0.0.1:{self.ports['INFLUX_PORT']}",
            "DASHBOARDS_PATH": str(dashboards),
            "GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH": str(dashboards / "readings.json"),
            "GF_SERVER_HTTP_ADDR": "127.0.0.1",
            "GF_SERVER_HTTP_PORT": str(self.ports["GRAFANA_PORT"]),
            "GF_PATHS_DATA": str(self.directory / "dashboard"),
            "GF_PATHS_LOGS": str(self.directory / "dashboard" / "log"),
            "GF_PATHS_PLUGINS": str(self.directory / "dashboard" / "plugins"),
            "GF_PATHS_PROVISIONING": str(ROOT / "grafana" / "provisioning"),
            "GF_ANALYTICS_REPORTING_ENABLED": "false",
            "GF_ANALYTICS_CHECK_FOR_UPDATES": "false",
            "GF_ANALYTICS_CHECK_FOR_PLUGIN_UPDATES": "false",
            "GF_PLUGINS_PREINSTALL_DISABLED": "true",
        }

    def summary(self) -> str:
        """Return the text that tells the user where to find each service."""
        at = {name: f"127.0.0.1:{port}" for name, port in self.ports.items()}
        dashboard = f"http://{at['GRAFANA_PORT']} (admin/admin)"
        return "\n".join(
            (
                f"collector  http://{at['COLLECTOR_PORT']}/data (API documentation: /docs)",
                f"broker     mqtt://{at['MQTT_PORT']}",
                f"database   http://{at['INFLUX_PORT']}, database iot",
                f"dashboard  {dashboard if self.has_grafana else 'Grafana is not installed'}",
                f"data       {self.directory}",
                "Press Ctrl-C to stop.",
            )
        )

    def _check_ports(self) -> None:
        for name, port in self.ports.items():
            if name != "GRAFANA_PORT" or self.has_grafana:
                _check_free(name, port)

    def _lock(self) -> None:
        """Lock the directory until this process exits; two databases would corrupt its data."""
        lock = os.open(self.directory / "lock", os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise WorkspaceError(
                f"another `make run` is using {self.directory}: stop it or set RUN_DIR"
            ) from None


def _port(name: str, text: str | int) -> int:
    try:
        port = int(text)
    except ValueError:
        port = 0
    if not 0 < port <= HIGHEST_PORT:
        raise WorkspaceError(f"{name}={text}: expected a port from 1 to {HIGHEST_PORT}")
    return port


def _check_distinct(ports: Mapping[str, int]) -> None:
    for (name, port), (other, other_port) in combinations(ports.items(), 2):
        if port == other_port:
            raise WorkspaceError(f"{name} and {other} are both {port}")


def _check_free(name: str, port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except PermissionError:
            raise WorkspaceError(
                f"port {port} requires root: set {name} to a port above 1023"
            ) from None
        except OSError:
            hint = f" (systemctl stop {SERVICES[name]})" if name in SERVICES else ""
            raise WorkspaceError(
                f"port {port} is in use: stop the process listening on it{hint} or set {name}"
            ) from None
