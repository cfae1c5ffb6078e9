"""InfluxDB's client, with bounds for what answers in its place."""

import io
import os
import socket
from collections.abc import Iterator
from typing import Generic, TypeVar

import msgspec
import requests
import urllib3
from influxdb import InfluxDBClient

from telemetry.deadline import Adapter
from telemetry.influx_session import Session
from telemetry.printable import printable
from telemetry.settings import InfluxAccess
from telemetry.tls import plain_reason

_MOST_BYTES = 32 << 20
_AT_ONCE = 1 << 16

T = TypeVar("T")


class Series(msgspec.Struct, Generic[T]):
    """The rows of one series in an answer to a query."""

    values: list[T]


class Result(msgspec.Struct, Generic[T]):
    """What a statement of a query returns."""

    series: list[Series[T]] = []
    error: str | None = None


class Answer(msgspec.Struct, Generic[T]):
    """An answer to a query, a result for each statement."""

    results: list[Result[T]]


def nodes(access: InfluxAccess) -> dict[str, InfluxAccess]:
    """Return for each address the access to that one alone."""
    return {one: {**access, "addresses": (one,)} for one in access["addresses"]}


def client(access: InfluxAccess, timeout_s: float) -> InfluxDBClient:
    """Return a client that asks the first healthy address, and waits `timeout_s` for an answer.

    Its requests raise requests.ConnectionError also when an answer has more than 32 MiB, except
    with `stream=True`.
    """
    scheme = "https" if (authorities := access.get("authorities")) else "http"
    session = Session([f"{scheme}://{address}" for address in access["addresses"]])
    session.verify = authorities or True
    session.trust_env = False  # a proxy is for the world outside; nor is there a .netrc to read
    session.hooks["response"].append(_read_bounded)
    host, _, port = access["addresses"][0].rpartition(":")
    client = InfluxDBClient(
        host,
        int(port),
        access["username"],
        access["password"],
        access["database"],
        ssl=scheme == "https",
        verify_ssl=authorities or False,
        timeout=timeout_s,
        retries=1,
        session=session,
    )
    session.mount(f"{scheme}://", Adapter())  # in place of the client's own
    return client


def asked(client: InfluxDBClient) -> str:
    """Return which addresses the client's last request was made at, as messages name them."""
    return f"InfluxDB at {', '.join(client._session.asked)}"  # noqa: SLF001  made above


def _read_bounded(response: requests.Response, **options: object) -> None:
    if options["stream"]:
        return
    content = bytearray()
    try:
        while piece := response.raw.read1(_AT_ONCE, decode_content=True):
            content += piece
            if len(content) > _MOST_BYTES:
                raise requests.ConnectionError(f"an answer of more than {_MOST_BYTES} bytes")
    except urllib3.exceptions.HTTPError as error:
        raise requests.ConnectionError(error) from error
    finally:
        response.close()  # a connection whose answer was read to its end is kept all the same
    response.raw = urllib3.HTTPResponse(io.BytesIO(content), preload_content=False)


def reason(error: requests.RequestException | urllib3.exceptions.HTTPError) -> str:
    """Return in plain words why there is no answer: the system's for what lies at the bottom."""
    if isinstance(error, requests.Timeout):
        return "not in time"
    causes = list(_causes(error))
    for cause in causes:
        if isinstance(cause, socket.gaierror):
            return "no such host name"
        if of_tls := plain_reason(cause):
            return of_tls
        if isinstance(cause, OSError) and cause.errno:
            return os.strerror(cause.errno).lower()
        if isinstance(cause, TimeoutError):
            return "not in time"
    return "the connection ends within an answer" if len(causes) > 1 else printable(str(error))


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
