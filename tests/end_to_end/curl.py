"""curl, as a person or a small device would use it."""

import json
import subprocess
from typing import Any, NamedTuple

from tests.stack import Collector

JSON = "application/json"
NDJSON = "application/x-ndjson"


class Answer(NamedTuple):
    """What curl printed."""

    status: int
    body: str


def encoded(readings: list[dict[str, Any]], form: str) -> bytes:
    """Return readings as a JSON array or as NDJSON."""
    if form == JSON:
        return json.dumps(readings).encode()
    return "".join(json.dumps(one, ensure_ascii=False) + "\n" for one in readings).encode()


def post(
    collector: Collector, body: object, content_type: str = JSON, *options: str, query: str = ""
) -> Answer:
    """Post `body` (bytes as they are, whatever else as JSON); CalledProcessError if that fails."""
    content = body if isinstance(body, bytes) else json.dumps(body, ensure_ascii=False).encode()
    argv = ["curl", "--silent", "--show-error", "--noproxy", "*", "--max-time", "30"]
    argv += ["--header", f"Content-Type: {content_type}", "--data-binary", "@-", *options]
    argv += ["--write-out", "\n%{http_code}", f"{collector.url}/data{query}"]
    printed = subprocess.run(argv, input=content, capture_output=True, check=True).stdout.decode()
    text, _, status = printed.rpartition("\n")
    return Answer(int(status), text)
