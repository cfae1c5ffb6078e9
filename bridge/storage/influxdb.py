"""InfluxDB 1.x: its line protocol, and what its HTTP responses mean."""

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache

import msgspec
import requests
from influxdb import InfluxDBClient
from influxdb.exceptions import InfluxDBClientError, InfluxDBServerError

from bridge.storage import Outcome, Result
from telemetry.reading import label_fault
from telemetry.settings import InfluxAccess
from telemetry.thread import Thread

TIMEOUT_S = 10
_READINGS = "data"  # the measurement of the readings
_COUNTERS = "pipeline"  # that of the services' counters
_TAG_ESCAPES = str.maketrans({",": "\\,", "=": "\\=", " ": "\\ "})


class InfluxStorage:
    """Writes records as lines of InfluxDB's line protocol, over HTTP from a thread of its own."""

    name = "InfluxDB"

    def __init__(self, access: InfluxAccess) -> None:
        self._database = access["database"]
        self._client = InfluxDBClient(**access, timeout=TIMEOUT_S, retries=1)
        self._thread = Thread("influxdb")

    def reading(self, series: str, value: float, ns: int) -> str:
        return f"{_series_key(series)} value={value!r} {ns}"  # a number without suffix is a float

    def counters(self, service: str, instance: str, counters: Mapping[str, int], ns: int) -> str:
        plain = all(map(str.isidentifier, counters))
        if label_fault(service) or label_fault(instance) or not plain:
            raise ValueError("service, instance and counters need plain names")
        fields = ",".join(f"{name}={number}i" for name, number in counters.items())
        return f"{_COUNTERS},instance={_tag(instance)},service={_tag(service)} {fields} {ns}"

    async def write(self, records: Sequence[str]) -> Result:
        return await self._thread.run(lambda: self._write(records))

    async def create(self) -> Result:
        return await self._thread.run(self._create)

    def close(self) -> None:
        self._client.close()

    def _write(self, records: Sequence[str]) -> Result:
        params = {"db": self._database}
        failure = _failure(lambda: self._client.write(records, params, protocol="line"))
        return result(*failure) if failure else Result(Outcome.STORED)

    def _create(self) -> Result:
        failure = _failure(lambda: self._client.create_database(self._database))
        # No response to this says anything about the readings.
        return Result(Outcome.WAIT, _detail(*failure)) if failure else Result(Outcome.STORED)


def result(status: int, message: str) -> Result:
    """Return what a response to POST /write means.

    Only what InfluxDB documents as the points' own fault is REJECTED. Everything else, such as a
    wrong password or a proxy's 405, is repaired elsewhere, so it never costs a reading.
    Source: InfluxDB 1.x, services/httpd/handler.go, serveWrite.
    """
    match status:
        case 204:
            return Result(Outcome.STORED)
        case 400:
            return Result(Outcome.REJECTED, message.strip())
        case 404 if "database not found" in message:
            return Result(Outcome.NO_DATABASE, _detail(status, message))
        case 413:
            return Result(Outcome.TOO_LARGE, message.strip())
        case _:
            return Result(Outcome.WAIT, _detail(status, message))


@lru_cache(maxsize=65536)
def _series_key(series: str) -> str:
    """Return measurement and tags of a series."""
    sensor_id, type_ = series.split("/")
    return f"{_READINGS},sensor_id={_tag(sensor_id)},type={_tag(type_)}"


def _tag(label: str) -> str:
    return label.translate(_TAG_ESCAPES)


def _failure(request: Callable[[], object]) -> tuple[int, str] | None:
    """Make a request; return None on success, else status and message, status 0 if no response."""
    try:
        request()
    except InfluxDBClientError as error:
        return error.code or 0, _message(error.content)
    except InfluxDBServerError as error:
        return 500, _message(error.args[0])
    except requests.RequestException as error:
        return 0, f"no answer: {error}"
    return None


def _message(body: bytes | str) -> str:
    """Return the text in InfluxDB's {"error": "…"}, or the whole body if it has another form."""
    try:
        return msgspec.json.decode(body, type=dict[str, str])["error"]
    except (msgspec.MsgspecError, KeyError):
        return body.decode(errors="replace") if isinstance(body, bytes) else body


def _detail(status: int, message: str) -> str:
    return f"{status or ''} {message}".strip()
