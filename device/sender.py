"""Sends buffered readings in order, one request at a time, over one persistent connection."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from random import Random
from threading import Event

from urllib3 import HTTPConnectionPool, Timeout
from urllib3.exceptions import HTTPError

from device.buffer import Buffer
from device.report import Report
from device.responses import Response, Verdict, backoff, retry_after

TIMEOUT_S = 10.0


class CollectorClient:
    """HTTP client of the collector at `host`:`port`."""

    def __init__(
        self, host: str, port: int, token: str | None = None, timeout: float = TIMEOUT_S
    ) -> None:
        headers = {"Content-Type": "application/json", "User-Agent": "device"}
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        self._pool = HTTPConnectionPool(
            host, port, timeout=Timeout(timeout), retries=False, maxsize=1, headers=headers
        )

    def post(self, readings: Sequence[str]) -> Response:
        """Post one reading as an object, several as an array.

        A network error does not raise: it is returned as a response without status.
        """
        body = readings[0] if len(readings) == 1 else f"[{','.join(readings)}]"
        try:
            response = self._pool.request("POST", "/data", body=body.encode(), redirect=False)
        except HTTPError as error:
            return Response(None, f"no response: {error}")
        wait = retry_after(response.headers.get("Retry-After"), datetime.now(UTC))
        text = response.data.decode(errors="replace")
        return Response(response.status, text or (response.reason or ""), wait)


class Sender:
    """Takes readings from `buffer` and posts them until each is accepted or dropped."""

    def __init__(
        self,
        buffer: Buffer,
        post: Callable[[Sequence[str]], Response],
        report: Report,
        batch: int,
        stopping: Event,
    ) -> None:
        self._buffer = buffer
        self._post = post
        self._report = report
        self._stopping = stopping
        self._max_batch = batch
        self._batch = batch
        self._failures = 0
        self._random = Random()  # noqa: S311

    def run(self) -> None:
        """Send until the buffer is closed and empty; when stopping, until the first failure."""
        while readings := self._buffer.take(self._batch):
            last_try = self._stopping.is_set()
            response = self._post(readings)
            match response.verdict:
                case Verdict.ACCEPTED:
                    self._complete()
                    self._report.accepted(readings, response)
                case Verdict.RETRY if last_try:
                    self._buffer.put_back()
                    self._report.kept(readings, response, None)
                    return
                case Verdict.RETRY:
                    self._retry(readings, response)
                case verdict if verdict is Verdict.ALL_REFUSED or len(readings) == 1:
                    self._complete()
                    self._report.refused(readings, response)
                case _:
                    self._halve(readings, response)

    def _complete(self) -> None:
        self._buffer.done()
        self._failures = 0
        # A batch that was halved to find the refused reading grows back to its full size.
        self._batch = min(2 * self._batch, self._max_batch)

    def _retry(self, readings: Sequence[str], response: Response) -> None:
        self._buffer.put_back()
        wait = max(backoff(self._failures, self._random), response.retry_after)
        self._report.kept(readings, response, wait)
        self._failures += 1
        self._stopping.wait(wait)

    def _halve(self, readings: Sequence[str], response: Response) -> None:
        self._buffer.put_back()
        self._batch = len(readings) // 2
        if response.verdict is Verdict.TOO_LARGE:
            self._max_batch = self._batch
        self._report.halved(readings, response)
