"""Three machines on a network of their own, each an engine and a manager of one swarm."""

import contextlib
import os
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Self

from tests.service import Service
from tests.swarm.engine import Engine

NODES = 3
# Benchmarks' own range (RFC 2544), so none that this machine has routes to.
NETWORK = f"198.18.{os.getpid() % 256}"
HERE = f"{NETWORK}.254"
MANAGER_PORT = 2377


class Switch(Service):
    """The network between the machines, in a namespace of its own: its death removes all of it."""

    def __init__(self, directory: Path) -> None:
        super().__init__("switch", directory, ["unshare", "--net", "sleep", "infinity"])

    def is_ready(self) -> bool:
        """Whether it has left the network of the tests."""
        return Path(f"/proc/{self.pid}/ns/net").readlink() != Path("/proc/self/ns/net").readlink()

    def start(self) -> None:
        super().start()
        self.wait_ready()
        self._ip("link", "add", "switch", "type", "bridge")
        self._ip("link", "set", "switch", "up")
        self._plug(os.getpid(), f"swarm{os.getpid()}", HERE)

    def connect(self, machine: Engine, address: str) -> None:
        """Give a machine that has just been started its network."""
        self._plug(machine.init, "eth0", address)
        run("ip", "link", "set", "lo", "up", namespace=machine.init)
        run("ip", "route", "add", "default", "via", HERE, namespace=machine.init)

    def _plug(self, pid: int, name: str, address: str) -> None:
        port = f"port{address.rpartition('.')[2]}"
        # The kernel takes its time to remove the network of what was killed.
        self._ip("link", "delete", port, check=False)
        self._ip("link", "add", port, "type", "veth", "peer", "name", name, "netns", str(pid))
        self._ip("link", "set", port, "master", "switch", "up")
        run("ip", "address", "add", f"{address}/24", "dev", name, namespace=pid)
        run("ip", "link", "set", name, "up", namespace=pid)

    def _ip(self, *arguments: str, check: bool = True) -> None:
        run("ip", *arguments, namespace=self.pid, check=check)


class Swarm:
    """The machines cell1 to cell3; `addresses` and `engines` are in their order."""

    def __init__(self, directory: Path) -> None:
        self.switch = Switch(directory)
        names = [f"cell{n}" for n in range(1, NODES + 1)]
        self.engines = [Engine(name, directory / name, gateway=HERE) for name in names]
        self.addresses = [f"{NETWORK}.{n}" for n in range(1, NODES + 1)]

    def __enter__(self) -> Self:
        try:
            self.switch.start()
            for number in range(NODES):
                self.start(number)
            self._join()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.ExitStack() as stack:
            for service in (self.switch, *self.engines):
                stack.callback(service.kill)

    def start(self, number: int) -> None:
        """Start this machine, and wait for its engine."""
        self.engines[number].start()
        self.switch.connect(self.engines[number], self.addresses[number])
        self.engines[number].wait_ready()

    def load(self, archive: Path) -> None:
        """Load the images on each machine."""
        with ThreadPoolExecutor(NODES) as pool:
            list(pool.map(lambda e: e.docker("load", "--input", str(archive)), self.engines))

    @property
    def manager(self) -> Engine:
        """The first machine that runs; all are managers."""
        return next(engine for engine in self.engines if engine.running)

    def _join(self) -> None:
        first, *others = self.engines
        first.docker("swarm", "init", "--advertise-addr", self.addresses[0])
        token = first.docker("swarm", "join-token", "--quiet", "manager").stdout.strip()
        for engine, address in zip(others, self.addresses[1:], strict=True):
            manager = f"{self.addresses[0]}:{MANAGER_PORT}"
            engine.docker("swarm", "join", "--token", token, "--advertise-addr", address, manager)


def run(*argv: str, namespace: int, check: bool = True) -> None:
    """Run a command in the network of the process with the id `namespace`."""
    subprocess.run(
        ["nsenter", f"--net=/proc/{namespace}/ns/net", *argv], check=check, capture_output=True
    )
