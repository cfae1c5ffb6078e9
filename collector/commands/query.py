"""`query`: a statement of InfluxQL, asked with the account that may only read."""

import argparse
import sys
from typing import Any
from urllib.parse import urlencode

import msgspec
from influxdb.exceptions import InfluxDBClientError, InfluxDBServerError
from requests import RequestException

from collector.audit.unreachable import InfluxUnreachable, said, words
from collector.commands.output import OK, WRONG, say
from collector.settings import Settings
from telemetry import influx
from telemetry.decode import Unreadable, boundary

_TIMEOUT_S = 60
# What it does not understand, and what its account may not do.
_REFUSED = {400, 403}
_HEADERS = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}


class _Result(msgspec.Struct):
    error: str | None = None


class _Answer(msgspec.Struct):
    results: list[_Result]


_answer = boundary(msgspec.json.Decoder(_Answer).decode)


def add_to(subparsers: Any) -> None:  # noqa: ANN401 - argparse does not export its type
    """Add the command to the parser."""
    query = subparsers.add_parser(
        "query",
        help="ask InfluxDB, and print its answer as JSON",
        description="Asks with the collector's account, which may read and nothing else.",
        epilog="example: query \"SELECT * FROM data WHERE sensor_id = '7' LIMIT 10\"",
    )
    query.add_argument("statement", help="InfluxQL; times are printed in nanoseconds since 1970")
    query.set_defaults(run=_run)


def _run(settings: Settings, options: argparse.Namespace) -> int:
    access = settings.influx
    form = urlencode({"db": access["database"], "epoch": "ns", "q": options.statement})
    client = influx.client(access, _TIMEOUT_S)
    try:
        content = client.request("query", "POST", data=form, headers=_HEADERS).content
        answer = _answer(content)
    except InfluxDBClientError as error:
        if error.code not in _REFUSED:
            raise InfluxUnreachable(f"{influx.asked(client)} {words(error, _TIMEOUT_S)}") from None
        return _refused(said(error.content))
    except (RequestException, InfluxDBServerError, Unreadable) as error:
        raise InfluxUnreachable(f"{influx.asked(client)} {words(error, _TIMEOUT_S)}") from None
    say(content.decode(errors="replace").rstrip())
    for result in answer.results:
        if result.error:
            return _refused(result.error)
    return OK


def _refused(why: str) -> int:
    sys.stderr.write(f"query: InfluxDB refuses it: {why}\n")
    return WRONG
