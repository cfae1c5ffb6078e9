"""Why InfluxDB cannot be asked, in plain words."""

import msgspec
import requests
import urllib3
from influxdb.exceptions import InfluxDBClientError, InfluxDBServerError

from telemetry import influx
from telemetry.decode import Unreadable, boundary
from telemetry.printable import printable
from telemetry.settings import InfluxAccess

_MOST = 120
_NO_ACCOUNT = {401, 403}

_error = boundary(msgspec.json.Decoder(dict[str, str]).decode)


class InfluxUnreachable(Exception):
    """InfluxDB does not answer, or not as InfluxDB does, so nothing can be said."""


class InfluxError(Exception):
    """InfluxDB answers a query with an error; the text is its own."""


def address(access: InfluxAccess) -> str:
    """Return how messages name the database's server."""
    return f"InfluxDB at {', '.join(access['addresses'])}"


def words(error: Exception, timeout_s: float) -> str:
    """Return what an exception of the client, or of decoding its answer, says about InfluxDB."""
    match error:
        case InfluxDBClientError(code=code) if code in _NO_ACCOUNT:
            told = (
                f"refuses the account ({code}): the bridge makes it if it may; otherwise set"
                " INFLUX_USERNAME and INFLUX_PASSWORD"
            )
        case InfluxDBClientError():
            told = f"answers HTTP {error.code} {said(error.content)}"
        case InfluxDBServerError():  # which of them the client does not tell
            told = f"answers HTTP 5xx {said(error.args[0])}"
        case InfluxError():
            told = f"answers with an error: {printable(str(error), _MOST)}"
        case requests.exceptions.InvalidURL():
            told = "has no valid address: see INFLUX_HOST and INFLUX_PORT"
        case requests.Timeout():
            told = f"does not answer: no answer within {timeout_s:g} s"
        case requests.RequestException() | urllib3.exceptions.HTTPError():
            told = f"does not answer: {influx.reason(error)}"
        case _:
            told = "answers what is not an answer of InfluxDB: is it another program?"
    return told


def said(content: bytes | str) -> str:
    """Return InfluxDB's own error, or the beginning of anything else."""
    try:
        return printable(_error(content)["error"], _MOST)
    except (Unreadable, KeyError):
        text = content.decode(errors="replace") if isinstance(content, bytes) else content
        return f"{printable(' '.join(text.split()), _MOST)} (not InfluxDB?)".lstrip()
