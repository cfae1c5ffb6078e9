"""A device that posts on and on and notes what it was told."""

import threading
from typing import Self

import httpx

from tests.integration.posting import now_ns, reading
from tests.stack import Collector, wait_for


class Poster:
    """Posts a reading of its own sensor every few milliseconds, until each is accepted."""

    def __init__(self, collector: Collector, sensor: str) -> None:
        self.sensor = sensor
        self.acknowledged: set[int] = set()
        """The times (ns) of the readings that got 201."""
        self.attempted: set[int] = set()
        self._url = collector.url
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._post_on_and_on, name="poster")

    def wait_acknowledged(self, more: int, timeout: float = 20) -> None:
        """Wait until that many more readings have been accepted."""
        enough = len(self.acknowledged) + more
        wait_for(lambda: len(self.acknowledged) >= enough, timeout, f"{more} more answers 201")

    def _post_on_and_on(self) -> None:
        with httpx.Client(base_url=self._url, trust_env=False, timeout=30) as http:
            while not self._stopping.wait(0.002):
                ns = now_ns()
                self.attempted.add(ns)
                while not self._post(http, ns) and not self._stopping.wait(0.02):
                    pass

    def _post(self, http: httpx.Client, ns: int) -> bool:
        try:
            answer = http.post("/data", json=reading(self.sensor, ns))
        except httpx.TransportError:
            return False
        if answer.status_code == 201:
            self.acknowledged.add(ns)
        return answer.status_code == 201

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join()
