"""What all connections share: the limits, their number, the memory that they hold, the clock."""

import asyncio
import contextlib
import logging
from collections import Counter
from email.utils import formatdate
from http import HTTPStatus
from time import perf_counter
from typing import Protocol

from collector.access.address import is_loopback
from collector.http.limits import Limits
from collector.http.media import Terms
from collector.http.problem import Problem
from collector.http.refusal import REASONS, RETRY_AFTER_S, reason_of, refusal, slower, unavailable
from telemetry.durations import QUICK_S, Histogram

logger = logging.getLogger(__name__)

# So many more are accepted and told that they are too many; beyond, they are just closed.
_REFUSED_AT_ONCE = 100


class Member(Protocol):
    """One of the connections; past its `deadline` (of the event loop's clock) it expires.

    `held` is what `hold` was last told of it, `address` where it comes from.
    """

    deadline: float
    held: int
    address: str

    def expire(self) -> None: ...

    def shutdown(self) -> None: ...

    def hurry(self) -> None: ...

    def abort(self) -> None: ...


class Connections:
    """The open connections."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.date = b""
        """The header field `date`, with its line end."""
        self.refused = dict.fromkeys(REASONS, 0)
        """How many requests, or connections, were refused, by reason."""
        self.answer_times = Histogram(QUICK_S)
        """From a whole POST /data to its response."""
        self._open: set[Member] = set()
        self._by_address: Counter[str] = Counter()
        self._refused: set[Member] = set()  # of the open ones
        self._all_closed = asyncio.Event()
        self._held = 0
        self._held_by: Counter[str] = Counter()
        self._logged: set[str] = set()  # in this second
        self._set_date()

    def counters(self) -> dict[str, int]:
        """Return how many are open, and how many requests or connections were refused."""
        return {
            "connections": len(self._open) - len(self._refused),
            "http_refused": sum(self.refused.values()),
        }

    def add(self, connection: Member) -> Problem | None:
        """Add a connection; return the problem to answer if there are too many."""
        self._open.add(connection)
        self._all_closed.clear()
        self._by_address[connection.address] += 1
        problem = self._too_many(connection.address)
        if problem is None:
            return None
        self._refused.add(connection)
        self.refused["connections"] += 1
        self.note("connections refused: %s", problem.detail)
        if len(self._refused) > _REFUSED_AT_ONCE:
            connection.abort()
        return problem

    def _too_many(self, address: str) -> Problem | None:
        most = self.limits.connections
        if len(self._open) - len(self._refused) > most:
            return unavailable(f"{most} connections are open (MAX_CONNECTIONS)")
        most = self.limits.of_address
        if self._by_address[address] > most and not is_loopback(address):
            detail = f"{most} connections are open from {address} (MAX_CONNECTIONS_PER_ADDRESS)"
            return slower(detail, RETRY_AFTER_S)
        return None

    def discard(self, connection: Member) -> None:
        self._open.discard(connection)
        self._refused.discard(connection)
        self._by_address[connection.address] -= 1
        if not self._by_address[connection.address]:
            del self._by_address[connection.address]
            self._held_by.pop(connection.address, None)
        if not self._open:
            self._all_closed.set()

    def answered(self, terms: Terms | None, whole_at: float) -> None:
        """Note that a request has its response; only a POST /data is timed, and no ?ack=stored."""
        if terms and not terms.stored:
            self.answer_times.observe(perf_counter() - whole_at)

    def hold(self, connection: Member, held: int) -> None:
        """Count the bytes of an unfinished request.

        Raises Problem 503 if all are too many, 429 if those of its address are more than half.
        """
        if held == connection.held:
            return
        change, connection.held = held - connection.held, held
        self._held += change
        self._held_by[address := connection.address] += change
        most = self.limits.held_bytes // 2
        if change > 0 and self._held_by[address] > most and not is_loopback(address):
            detail = f"unfinished requests from {address} hold {most} bytes of memory"
            self.note("requests refused: %s", detail)
            raise slower(detail, RETRY_AFTER_S)
        if change > 0 and self._held > self.limits.held_bytes:
            detail = f"unfinished requests hold {self.limits.held_bytes} bytes of memory"
            self.note("requests refused: %s", detail)
            raise unavailable(detail)

    def problem(self, error: BaseException) -> Problem:
        """Return the problem that an error is; an unexpected one is logged with its traceback."""
        if problem := refusal(error):
            if reason := reason_of(error):
                self.refused[reason] += 1
            return problem
        self._log(logging.ERROR, "a request failed: %s", error, error)
        detail = "the collector has failed to take the request"
        return Problem(HTTPStatus.INTERNAL_SERVER_ERROR, detail)

    def note(self, text: str, detail: object) -> None:
        """Log a warning, unless there was one of its kind in this second."""
        self._log(logging.WARNING, text, detail)

    async def sweep(self) -> None:
        """Expire what is past its deadline, for ever."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(self.limits.sweep_s)
            self._logged.clear()
            self._set_date()
            now = loop.time()
            for connection in [c for c in self._open if c.deadline <= now]:
                connection.expire()

    async def drain(self) -> None:
        """Close the idle connections, and the others after their responses."""
        for connection in list(self._open):
            connection.shutdown()
        await self._wait_closed(self.limits.shutdown_s)
        for connection in list(self._open):
            connection.hurry()
        await self._wait_closed(1)
        for connection in list(self._open):
            connection.abort()

    async def _wait_closed(self, seconds: float) -> None:
        if self._open:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._all_closed.wait()

    def _set_date(self) -> None:
        self.date = f"date: {formatdate(usegmt=True)}\r\n".encode()

    def _log(
        self, level: int, text: str, detail: object, error: BaseException | None = None
    ) -> None:
        """Log at most one line of a kind in a second."""
        if text not in self._logged:
            self._logged.add(text)
            logger.log(level, text, detail, exc_info=error)
