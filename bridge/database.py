"""InfluxDB as the bridge sees it: lines in, an answer out, from a thread of its own."""

from collections.abc import Sequence
from typing import NamedTuple

import msgspec
import requests
from influxdb import InfluxDBClient
from influxdb.exceptions import InfluxDBClientError, InfluxDBServerError

from bridge.settings import Settings
from bridge.thread import Thread

TIMEOUT_S = 10


class Answer(NamedTuple):
    """InfluxDB's HTTP status and what it says; status 0 when there was no answer, and why."""

    status: int
    body: str


class Database:
    """Writes line protocol; never raises for what InfluxDB or the network does."""

    def __init__(self, settings: Settings) -> None:
        self._name = settings.influx_database
        self._client = InfluxDBClient(
            host=settings.influx_host,
            port=settings.influx_port,
            username=settings.influx_username or None,
            password=settings.influx_password or None,
            database=settings.influx_database,
            timeout=TIMEOUT_S,
            retries=1,
        )
        self._thread = Thread[Answer]("influxdb")

    async def write(self, lines: Sequence[str]) -> Answer:
        """Write lines with nanosecond timestamps."""
        return await self._thread.run(lambda: self._write(lines))

    async def create(self) -> Answer:
        """Create the database; status 200 when it is there."""
        return await self._thread.run(self._create)

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def _write(self, lines: Sequence[str]) -> Answer:
        try:
            self._client.write(lines, {"db": self._name}, protocol="line")
        except (InfluxDBClientError, InfluxDBServerError, requests.RequestException) as error:
            return _answer(error)
        return Answer(204, "")

    def _create(self) -> Answer:
        try:
            self._client.create_database(self._name)
        except (InfluxDBClientError, InfluxDBServerError, requests.RequestException) as error:
            return _answer(error)
        return Answer(200, "")


def _reason(body: bytes | str) -> str:
    """Return what InfluxDB's {"error": "…"} says, or the body of whoever else answered."""
    try:
        return msgspec.json.decode(body, type=dict[str, str])["error"]
    except (msgspec.MsgspecError, KeyError):
        return body.decode(errors="replace") if isinstance(body, bytes) else body


def _answer(error: Exception) -> Answer:
    if isinstance(error, InfluxDBClientError):
        return Answer(error.code or 0, _reason(error.content))
    if isinstance(error, InfluxDBServerError):
        return Answer(500, _reason(error.args[0]))
    return Answer(0, f"no answer: {error}")
