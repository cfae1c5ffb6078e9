"""Load on POST /data over many connections; the ledger records how each post ended."""

import asyncio
import contextlib
import time
from array import array
from http import HTTPStatus

from tests.chaos.devices import JSON, Devices, Request, as_json
from tests.chaos.http_connection import HttpConnection, NoResponseError, NotSentError
from tests.chaos.ledger import Ledger, LedgerFullError, PostOutcome, Reading

PAUSE_S = 0.1
MAX_LAG_S = 1.0


async def post_once(port: int, ledger: Ledger, readings: list[Reading]) -> int | None:
    """Post these readings in one array; return the status, None when no response arrived."""
    body = f"[{','.join(map(as_json, readings))}]".encode()
    connection = HttpConnection(port)
    outcome = PostOutcome.UNKNOWN
    status = None
    try:
        status = await connection.post("/data", body, {"Content-Type": JSON})
        outcome = PostOutcome.ACKNOWLEDGED if status // 100 == 2 else PostOutcome.REFUSED
    except NotSentError:
        outcome = PostOutcome.REFUSED
    except NoResponseError:
        pass
    finally:
        connection.close()
        ledger.record(readings, outcome)
    return status


class Load:
    """Devices posting `rate` readings per second over `connections` until stopped."""

    def __init__(  # noqa: PLR0913  all are keywords
        self,
        devices: Devices,
        *,
        port: int,
        rate: float,
        connections: int = 8,
        repeat: float = 0.03,
        path: str = "/data",
    ) -> None:
        """`repeat` is the share of requests that are posted again after a response."""
        self.devices = devices
        self.ledger = devices.ledger
        self.rate = rate
        self.path = path
        self.moments = array("d")
        """When each response arrived (time.monotonic)."""
        self.latencies = array("d")
        """How long each response took, in seconds."""
        self._port = port
        self._rng = devices.rng
        self._connections = connections
        self._repeat = repeat
        self._due = 0.0
        self._stopping = asyncio.Event()

    async def run(self) -> None:
        self._due = time.monotonic()
        async with asyncio.TaskGroup() as group:
            for _ in range(self._connections):
                group.create_task(self._worker())

    def stop(self) -> None:
        """Let each connection finish its request. Call it on the loop's thread."""
        self._stopping.set()

    async def _worker(self) -> None:
        connection = HttpConnection(self._port)
        try:
            while not self._stopping.is_set():
                request = self.devices.request()
                await self._wait_turn(len(request.readings))
                again = True
                while again and not self._stopping.is_set():
                    again = await self._post(connection, request)
        except LedgerFullError:
            self._stopping.set()
        finally:
            connection.close()

    async def _wait_turn(self, readings: int) -> None:
        # A load that is far behind does not catch up in a burst.
        mine = max(self._due, time.monotonic() - MAX_LAG_S)
        self._due = mine + readings / self.rate
        if (wait := mine - time.monotonic()) > 0:
            await self._pause(wait)

    async def _pause(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), seconds)

    async def _post(self, connection: HttpConnection, request: Request) -> bool:
        """Post once; return whether to post the same request again."""
        outcome = PostOutcome.UNKNOWN
        begin = time.monotonic()
        try:
            status = await connection.post(self.path, request.body, request.headers)
        except NotSentError:
            outcome = PostOutcome.REFUSED
            await self._pause(PAUSE_S)
            return self._rng.random() < 0.9
        except NoResponseError:
            await self._pause(PAUSE_S)
            return self._rng.random() < 0.5
        else:
            accepted = status // 100 == 2
            outcome = PostOutcome.ACKNOWLEDGED if accepted else PostOutcome.REFUSED
            self.moments.append(time.monotonic())
            self.latencies.append(self.moments[-1] - begin)
            if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
                await self._pause(PAUSE_S)
            return self._rng.random() < self._repeat
        finally:
            self.ledger.record(request.readings, outcome)
