"""A device that posts continuously and notes what was accepted."""

import threading
import time
from typing import Any, Self

import httpx

from tests.builders import reading
from tests.integration.posting import client, send
from tests.stack import Collector, wait_for


class Poster:
    """Posts a reading of one sensor every few milliseconds, each until it is accepted."""

    def __init__(self, collector: Collector, sensor: str, **options: Any) -> None:  # noqa: ANN401
        """Prepare to post to a collector; `options` are the client's."""
        self.sensor = sensor
        self.accepted: set[int] = set()
        """Times (ns) of the readings answered with 201."""
        self.attempted: set[int] = set()
        self._collector = collector
        self._options = options
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._post_continuously, name="poster")

    def wait_accepted(self, more: int, timeout: float = 20) -> None:
        """Wait until that many more readings have been accepted."""
        enough = len(self.accepted) + more
        wait_for(lambda: len(self.accepted) >= enough, timeout, f"{more} more responses 201")

    def _post_continuously(self) -> None:
        with client(self._collector, **self._options) as http:
            while not self._stopping.wait(0.002):
                ns = time.time_ns()
                self.attempted.add(ns)
                while not self._post(http, ns) and not self._stopping.wait(0.02):
                    pass

    def _post(self, http: httpx.Client, ns: int) -> bool:
        try:
            response = send(http, reading(self.sensor, ns))
        except httpx.TransportError:
            return False
        if response.status_code == 201:
            self.accepted.add(ns)
        return response.status_code == 201

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join()
