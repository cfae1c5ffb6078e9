"""The ports and the directory that `make run` uses.

Its ports are checked before the Python environment exists, so it uses only the standard library.
"""

import contextlib
import errno
import fcntl
import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Self

from run.configuration import (
    ROOT,
    write_broker_configuration,
    write_grafana_configuration,
    write_influx_configuration,
)
from run.grafana import Grafana, find
from run.state import State

PORTS = {
    "COLLECTOR_PORT": 1337,
    "MQTT_PORT": 1883,
    "INFLUX_PORT": 8086,
    "GRAFANA_PORT": 3000,
    "BRIDGE_METRICS_PORT": 1338,
}
MQTTS_PORT = 8883
"""Another one, if TLS is set."""
SERVICES = {"MQTT_PORT": "mosquitto", "INFLUX_PORT": "influxdb", "GRAFANA_PORT": "grafana-server"}
HIGHEST_PORT = 65535
LOOPBACK, EVERYWHERE = "127.0.0.1", "0.0.0.0"  # noqa: S104  only if it is set


class WorkspaceError(Exception):
    """The pipeline cannot run; the message says why and what to change."""


@dataclass(frozen=True)
class Workspace:
    """The services' ports on 127.0.0.1 and the directory with their data."""

    ports: Mapping[str, int]
    directory: Path
    bind_address: str = LOOPBACK
    """Where the collector, the broker and Grafana listen: there, or everywhere."""
    grafana: Grafana | None = None
    """None: it is not installed."""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Self:
        """Read the ports, RUN_DIR and BIND_ADDRESS. Raises WorkspaceError for an invalid port."""
        wanted = {**PORTS, **({"MQTTS_PORT": MQTTS_PORT} if environment.get("TLS") else {})}
        ports = {
            name: _port(name, environment.get(name) or default) for name, default in wanted.items()
        }
        _check_distinct(ports)
        bind_address = _bind_address(environment)
        return cls(ports, directory(environment), bind_address, find(environment))

    @property
    def collector_host(self) -> str:
        # Each loopback address that the machine has, or each address.
        return "localhost" if self.bind_address == LOOPBACK else self.bind_address

    def check(self) -> None:
        """Raise WorkspaceError if a port is in use or another `make run` uses the directory."""
        if is_locked(self.directory):
            raise _used(self.directory)
        for name, port in self.ports.items():
            if name != "GRAFANA_PORT" or self.grafana:
                _check_free(name, port)

    def prepare(self) -> None:
        """Lock the directory and write the configuration files.

        Raises WorkspaceError if a port is in use or the directory cannot be used.
        """
        self.check()
        broker, database = self.directory / "broker", self.directory / "db"
        try:
            self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            for path in (broker, database, self.directory / "dashboard"):
                path.mkdir(exist_ok=True)
                path.chmod(0o700)
            self._keep_others_out()
            self._lock()
            State(self.directory).write({}, {})  # that of the last run means nothing now
            write_broker_configuration(
                broker,
                self.ports["MQTT_PORT"],
                "log_timestamp false",
                accounts=True,
                address=self.bind_address,
            )
            write_influx_configuration(database, self.ports["INFLUX_PORT"], auth=True)
            write_grafana_configuration(self.directory)
        except OSError as error:
            raise WorkspaceError(
                f"RUN_DIR={self.directory} cannot be used: {error.strerror or error}"
            ) from error

    def _keep_others_out(self) -> None:
        """Close files of before to other users, who could read them, or lock them and stop us."""
        for pattern in ("outbox.db*", "lock", "state.json"):
            for path in self.directory.glob(pattern):
                path.chmod(0o600)

    def _lock(self) -> None:
        """Lock the directory until this process exits; two databases would corrupt its data."""
        lock = os.open(self.directory / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise _used(self.directory) from None


def directory(environment: Mapping[str, str]) -> Path:
    """Return RUN_DIR; a relative one is meant from the root of the repository.

    Raises WorkspaceError for a name that configuration files cannot hold.
    """
    text = environment.get("RUN_DIR") or ".run"
    if not text.isprintable() or any(character in text for character in "\"'\\"):
        raise WorkspaceError(
            f"RUN_DIR={text!r}: expected a path without quotation marks, backslashes and control"
            " characters"
        )
    return ROOT / Path(text).expanduser()


def is_locked(directory: Path) -> bool:
    """Return whether a `make run` is using `directory`."""
    try:
        with (directory / "lock").open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def _used(directory: Path) -> WorkspaceError:
    return WorkspaceError(f"another `make run` is using {directory}: stop it or set RUN_DIR")


def _port(name: str, text: str | int) -> int:
    given = str(text)
    port = int(given) if given.isascii() and given.isdecimal() else 0
    if not 0 < port <= HIGHEST_PORT:
        raise WorkspaceError(f"{name}={given!r}: expected a port from 1 to {HIGHEST_PORT}")
    return port


def _bind_address(environment: Mapping[str, str]) -> str:
    address = environment.get("BIND_ADDRESS") or LOOPBACK
    if address not in (LOOPBACK, EVERYWHERE):
        raise WorkspaceError(
            f"BIND_ADDRESS={address!r}: expected {LOOPBACK}, or {EVERYWHERE} to open the pipeline"
            " to the network"
        )
    return address


def _check_distinct(ports: Mapping[str, int]) -> None:
    for (name, port), (other, other_port) in combinations(ports.items(), 2):
        if port == other_port:
            raise WorkspaceError(f"{name} and {other} are both {port}")


def _check_free(name: str, port: int) -> None:
    # Only the collector listens on both, where there is IPv6.
    addresses = {"127.0.0.1": socket.AF_INET}
    if name == "COLLECTOR_PORT":
        addresses["::1"] = socket.AF_INET6
    for address, family in addresses.items():
        try:
            _bind(family, address, port)
        except PermissionError:
            raise WorkspaceError(
                f"port {port} requires root: set {name} to a port above 1023"
            ) from None
        except OSError as error:
            if error.errno in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
                continue
            hint = f" (systemctl stop {SERVICES[name]})" if name in SERVICES else ""
            raise WorkspaceError(
                f"port {port} is in use: stop the process listening on it{hint} or set {name}"
            ) from None


def _bind(family: socket.AddressFamily, address: str, port: int) -> None:
    with contextlib.closing(socket.socket(family)) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((address, port))
