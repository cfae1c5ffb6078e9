"""Requests to a collector, and its responses."""

import gzip
import json
from collections.abc import Mapping
from typing import Any

import httpx

from tests.builders import Json
from tests.metrics import counted
from tests.stack import Collector

JSON = "application/json"
NDJSON = "application/x-ndjson"
PROBLEM = "application/problem+json"
STORED = "/data?ack=stored"


def client(collector: Collector, **options: Any) -> httpx.Client:  # noqa: ANN401  httpx's own
    """Return a client of a collector; `options` replace those of before."""
    usual = {"base_url": collector.url, "trust_env": False, "timeout": 30}
    return httpx.Client(**{**usual, **options})


def send(  # noqa: PLR0913  the parts of a request
    http: httpx.Client,
    body: object,
    content_type: str = JSON,
    *,
    path: str = "/data",
    zipped: bool = False,
    headers: Mapping[str, str] | None = None,
) -> httpx.Response:
    """Post `body`: bytes as they are, anything else as JSON."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    sent = {"Content-Type": content_type, **(headers or {})}
    if zipped:
        content = gzip.compress(content)
        sent["Content-Encoding"] = "gzip"
    return http.post(path, content=content, headers=sent)


def problem(response: httpx.Response, status: int) -> Json:
    """Check that `response` is a problem (RFC 9457) with this status, and return its members."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == PROBLEM
    members: Json = response.json()
    optional = {"errors"}
    assert members.keys() - optional == {"type", "title", "status", "detail"}
    assert members["type"] == "about:blank"
    assert members["status"] == status
    assert members["title"]
    assert members["detail"]
    return members


def metrics(http: httpx.Client) -> dict[str, int]:
    """Return what the collector counts, by the names of its status."""
    return counted(http.get("/metrics").text)
