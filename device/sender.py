"""Sends what the buffer holds, in order, one request at a time on one kept connection."""

from datetime import UTC, datetime
from random import Random
from threading import Event
from typing import TYPE_CHECKING

from urllib3 import HTTPConnectionPool, Timeout
from urllib3.exceptions import HTTPError

from device.answers import Answer, Verdict, backoff, retry_after

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from device.buffer import Buffer
    from device.report import Report

TIMEOUT_S = 10.0


class Collector:
    """The collector at `host`:`port`, as seen from here."""

    def __init__(
        self, host: str, port: int, token: str | None = None, timeout: float = TIMEOUT_S
    ) -> None:
        headers = {"Content-Type": "application/json", "User-Agent": "device"}
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        self._pool = HTTPConnectionPool(
            host, port, timeout=Timeout(timeout), retries=False, maxsize=1, headers=headers
        )

    def post(self, readings: "Sequence[str]") -> Answer:
        """Post one reading as an object, several as an array. Faults of the road are answers."""
        body = readings[0] if len(readings) == 1 else f"[{','.join(readings)}]"
        try:
            response = self._pool.request("POST", "/data", body=body.encode(), redirect=False)
        except HTTPError as error:
            return Answer(None, f"no answer: {error}")
        wait = retry_after(response.headers.get("Retry-After"), datetime.now(UTC))
        text = response.data.decode(errors="replace")
        return Answer(response.status, text or (response.reason or ""), wait)


class Sender:
    """Takes readings from `buffer` until its end, and settles each: acknowledged or dropped."""

    def __init__(
        self,
        buffer: "Buffer",
        post: "Callable[[Sequence[str]], Answer]",
        report: "Report",
        batch: int,
        stopping: Event,
    ) -> None:
        self._buffer = buffer
        self._post = post
        self._report = report
        self._most = batch  # readings in a request
        self._stopping = stopping
        self._random = Random()  # noqa: S311

    def run(self) -> None:
        """Send until the buffer is closed and empty; when stopping, until the first failure."""
        number = self._most
        failures = 0
        while readings := self._buffer.take(number):
            last_try = self._stopping.is_set()
            answer = self._post(readings)
            match answer.verdict:
                case Verdict.ACKNOWLEDGED:
                    self._buffer.settle()
                    self._report.acknowledged(readings, answer)
                case Verdict.LATER:
                    self._buffer.give_back()
                    if last_try:
                        self._report.kept(readings, answer, None)
                        return
                    wait = max(backoff(failures, self._random), answer.retry_after)
                    self._report.kept(readings, answer, wait)
                    failures += 1
                    self._stopping.wait(wait)
                    continue
                case verdict if verdict is Verdict.ALL_REFUSED or len(readings) == 1:
                    self._buffer.settle()
                    self._report.refused(readings, answer)
                case verdict:
                    self._buffer.give_back()
                    number = len(readings) // 2
                    if verdict is Verdict.TOO_LARGE:
                        self._most = number
                    self._report.halved(readings, answer)
                    continue
            failures = 0
            # After a search for the reading at fault, back to full batches.
            number = min(2 * number, self._most)
