"""Sends buffered readings in order, one request at a time."""

from collections.abc import Callable, Sequence
from random import Random
from threading import Event

from device.buffer import Buffer
from device.report import Report
from device.responses import Response, Verdict, backoff


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
                    self._report.kept(response, None)
                    return
                case Verdict.RETRY:
                    self._retry(response)
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

    def _retry(self, response: Response) -> None:
        self._buffer.put_back()
        wait = max(backoff(self._failures, self._random), response.retry_after)
        self._report.kept(response, wait)
        self._failures += 1
        self._stopping.wait(wait)

    def _halve(self, readings: Sequence[str], response: Response) -> None:
        self._buffer.put_back()
        self._batch = len(readings) // 2
        if response.verdict is Verdict.TOO_LARGE:
            self._max_batch = self._batch
        self._report.halved(readings, response)
