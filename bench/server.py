"""A measured HTTP server that is not part of the pipeline."""

import socket
from pathlib import Path

from tests.service import Service


class Server(Service):
    """A process that serves HTTP on `port`; ready once it listens."""

    def __init__(self, name: str, directory: Path, argv: list[str], port: int) -> None:
        super().__init__(name, directory, argv)
        self.port = port

    def is_ready(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0
