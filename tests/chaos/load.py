"""Load on POST /data: many connections at a rate, each answer entered in the ledger."""

import asyncio
import contextlib
import time
from array import array
from http import HTTPStatus

from tests.chaos.devices import JSON, Devices, Request, as_json
from tests.chaos.ledger import Ledger, LedgerFullError, Reading, Verdict
from tests.chaos.wire import CutOffError, UnsentError, Wire

PAUSE_S = 0.1
LATE_S = 1.0


async def post_once(port: int, ledger: Ledger, readings: list[Reading]) -> int | None:
    """Post these readings in one array; return the status, None when there was no answer."""
    body = f"[{','.join(map(as_json, readings))}]".encode()
    wire = Wire(port)
    verdict = Verdict.UNKNOWN
    status = None
    try:
        status = await wire.post("/data", body, {"Content-Type": JSON})
        verdict = Verdict.ACKNOWLEDGED if status // 100 == 2 else Verdict.REFUSED
    except UnsentError:
        verdict = Verdict.REFUSED
    except CutOffError:
        pass
    finally:
        wire.close()
        ledger.settle(readings, verdict)
    return status


class Load:
    """Devices posting `rate` readings a second over `connections` until stopped."""

    def __init__(  # noqa: PLR0913  keywords all
        self,
        devices: Devices,
        *,
        port: int,
        rate: float,
        connections: int = 8,
        twice: float = 0.03,
        path: str = "/data",
    ) -> None:
        """`twice` of the answered requests are posted again; of the unanswered ones, half."""
        self.devices = devices
        self.ledger = devices.ledger
        self.rate = rate
        self.path = path
        self.moments = array("d")
        """When each answer came (time.monotonic)."""
        self.latencies = array("d")
        """How long it took, in seconds."""
        self._port = port
        self._rng = devices.rng
        self._connections = connections
        self._twice = twice
        self._due = 0.0
        self._stopping = asyncio.Event()

    async def run(self) -> None:
        """Post until `stop`."""
        self._due = time.monotonic()
        async with asyncio.TaskGroup() as group:
            for _ in range(self._connections):
                group.create_task(self._worker())

    def stop(self) -> None:
        """Let each connection finish its request; from the loop's thread."""
        self._stopping.set()

    async def _worker(self) -> None:
        wire = Wire(self._port)
        try:
            while not self._stopping.is_set():
                request = self.devices.request()
                await self._turn(len(request.readings))
                again = True
                while again and not self._stopping.is_set():
                    again = await self._post(wire, request)
        except LedgerFullError:
            self._stopping.set()
        finally:
            wire.close()

    async def _turn(self, readings: int) -> None:
        # Whoever is far behind does not try to make up for it in a burst.
        mine = max(self._due, time.monotonic() - LATE_S)
        self._due = mine + readings / self.rate
        if (wait := mine - time.monotonic()) > 0:
            await self._pause(wait)

    async def _pause(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), seconds)

    async def _post(self, wire: Wire, request: Request) -> bool:
        """Post once; return whether this device posts the same again."""
        verdict = Verdict.UNKNOWN
        begin = time.monotonic()
        try:
            status = await wire.post(self.path, request.body, request.headers)
        except UnsentError:
            verdict = Verdict.REFUSED
            await self._pause(PAUSE_S)
            return self._rng.random() < 0.9
        except CutOffError:
            await self._pause(PAUSE_S)
            return self._rng.random() < 0.5
        else:
            accepted = status // 100 == 2
            verdict = Verdict.ACKNOWLEDGED if accepted else Verdict.REFUSED
            self.moments.append(time.monotonic())
            self.latencies.append(self.moments[-1] - begin)
            if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
                await self._pause(PAUSE_S)
            return self._rng.random() < self._twice
        finally:
            self.ledger.settle(request.readings, verdict)
