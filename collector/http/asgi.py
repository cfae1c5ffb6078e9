"""Answers a request by an ASGI application that does not read bodies."""

from starlette.types import ASGIApp, Message, Scope

from collector.http.head import Head
from collector.http.response import Response, response


async def respond(app: ASGIApp, head: Head) -> Response:
    """Return the application's response to a request; to a HEAD that to a GET."""
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    await app(_scope(head), receive, send)
    start, *parts = sent
    content = b"".join(part.get("body", b"") for part in parts)
    return response(start["status"], start["headers"], content)


def _scope(head: Head) -> Scope:
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": "GET" if head.method == "HEAD" else head.method,
        "scheme": "http",
        "path": head.path,
        "raw_path": head.path.encode(),
        "query_string": head.query,
        "root_path": "",
        "headers": head.headers,
        "client": None,
        "server": None,
    }
