"""HAProxy with docs/examples/haproxy.cfg, in front of real cells."""

import re
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from run.configuration import ROOT
from tests.service import Service, free_port

EXAMPLE = ROOT / "docs" / "examples" / "haproxy.cfg"


class Cell(NamedTuple):
    """Where a cell's collector and broker listen."""

    host: str
    http: int
    mqtt: int


class Balancer(Service):
    """HAProxy on `http` and `mqtt` of 127.0.0.1."""

    def __init__(self, directory: Path, cells: Sequence[Cell], more: str = "") -> None:
        """Prepare it for these cells, with more lines of configuration."""
        self.http, self.mqtt = free_port(), free_port()
        self.cells = cells
        self.configuration = directory / "haproxy.cfg"
        super().__init__("haproxy", directory, ["haproxy", "-db", "-f", str(self.configuration)])
        lines = EXAMPLE.read_text(encoding="utf-8").splitlines()
        here = (self._here(line) for line in lines)
        self.configuration.write_text("\n".join([*filter(None, here), more, ""]))

    def is_ready(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.http), timeout=1).close()
        except OSError:
            return False
        return True

    def _here(self, line: str) -> str:
        """Return a line of the example with the ports and addresses of this machine."""
        line = line.replace(" :1337", f" 127.0.0.1:{self.http}")
        line = line.replace(" :1883", f" 127.0.0.1:{self.mqtt}")
        if server := re.search(r"server cell(\d) cell\d:(\d+)", line):
            number, port = int(server[1]), server[2]
            if number > len(self.cells):
                return ""
            host, http, mqtt = self.cells[number - 1]
            address = f"{host}:{http if port == '1337' else mqtt}"
            return f"    server cell{number} {address} port {http}"
        return line
