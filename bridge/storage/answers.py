"""What InfluxDB's responses to a write mean.

Source: InfluxDB 1.6 to 1.12, services/httpd/handler.go (serveWrite), coordinator/points_writer.go,
tsdb/shard.go.
"""

import re

import msgspec
import requests
from influxdb.exceptions import InfluxDBClientError, InfluxDBServerError

from bridge.storage import Outcome, Result
from telemetry import influx
from telemetry.decode import Unreadable, boundary

# The limits max-values-per-tag and max-series-per-database are among the partial writes: they are
# raised by hand, and `collector rejected --replay` then brings the readings back.
_READINGS_FAULT = ("partial write: ", "unable to parse ", "field type conflict")
_BEING_DELETED = re.compile(r"partial write: shard \d+ is pending deletion")
# A cluster reports the conflict as an error of the server.
_CONFLICT = "partial write: field type conflict"
_DROPPED = re.compile(r".* dropped=(\d+)", re.DOTALL)
# Written when every shard has stored its points: then the dropped ones are the oldest of the write.
# With a write window (from 1.12 on) some of them may be the newest instead.
_RETENTION = re.compile(
    r"partial write: (points beyond retention policy dropped="
    r"|dropped \d+ points outside retention policy of duration \S+ - )"
)
_NOT_INFLUXDB = "no answer of an InfluxDB"
_NEEDS_RESTART = "engine: error writing WAL entry"


_members = boundary(msgspec.json.Decoder(dict[str, str]).decode)


def result(status: int, body: bytes | str) -> Result:
    """Return what a response to POST /write means.

    Only what InfluxDB itself calls the points' fault is REJECTED. Everything else, such as a wrong
    password or a proxy's 400, is repaired elsewhere, so it never costs a reading.
    """
    error = _error(body)
    message = error or _text(body)
    detail = f"{status or ''} {message}".strip()
    if status == 204:  # noqa: PLR2004
        return Result(Outcome.STORED)
    if error and _is_readings_fault(status, error):
        dropped = _DROPPED.match(error)
        count = int(dropped[1]) if dropped else None
        oldest = status == 400 and _RETENTION.match(error) is not None  # noqa: PLR2004
        return Result(Outcome.REJECTED, error, count, oldest)
    if status == 404 and error.startswith("database not found"):  # noqa: PLR2004
        return Result(Outcome.NO_DATABASE, detail)
    if status == 413 or status >= 500 or _BEING_DELETED.match(error):  # noqa: PLR2004
        if error.startswith(_NEEDS_RESTART):
            detail += " (after its disk was full, InfluxDB stores again once it is restarted)"
        return Result(Outcome.FAILED, detail)
    if not error and 200 <= status < 400:  # noqa: PLR2004
        redirect = status >= 300  # noqa: PLR2004
        told = f"{status}, a redirect, which is not followed" if redirect else detail
        return Result(Outcome.WAIT, f"{_NOT_INFLUXDB}: {told}")
    return Result(Outcome.WAIT, detail)


def failure(error: Exception) -> Result:
    """Return what an exception of InfluxDBClient means.

    The client also raises whatever its decoders raise, if the answer is not what InfluxDB sends.
    """
    match error:
        case InfluxDBClientError():
            return result(error.code or 0, error.content)
        case InfluxDBServerError():
            return result(500, error.args[0])
        case requests.JSONDecodeError():
            return Result(Outcome.WAIT, _NOT_INFLUXDB)
        case requests.RequestException():
            # A server that cannot be reached is the same for every write.
            slow = "timed out" in str(error) and not isinstance(error, requests.ConnectTimeout)
            return Result(
                Outcome.FAILED if slow else Outcome.WAIT, f"no answer: {influx.reason(error)}"
            )
    return Result(Outcome.WAIT, f"unreadable answer: {type(error).__name__}: {error}")


def _is_readings_fault(status: int, error: str) -> bool:
    if status == 400:  # noqa: PLR2004
        return error.startswith(_READINGS_FAULT) and not _BEING_DELETED.match(error)
    return status == 500 and error.startswith(_CONFLICT)  # noqa: PLR2004


def _error(body: bytes | str) -> str:
    """Return the text in InfluxDB's {"error": "…"}; empty if the body has another form."""
    try:
        return _members(body).get("error", "").strip()
    except Unreadable:
        return ""


def _text(body: bytes | str) -> str:
    text = body.decode(errors="replace") if isinstance(body, bytes) else str(body)
    return text.strip()
