"""Responses as bytes."""

from http import HTTPStatus
from typing import NamedTuple

from collector.http.media import Headers
from collector.http.problem import MEDIA_TYPE, Problem


class Response(NamedTuple):
    """A response: the status line, the header fields, each with its line end, and the content."""

    line: bytes
    fields: bytes
    content: bytes


def response(status: int, headers: Headers, content: bytes) -> Response:
    """Return a response; its header fields beside these are added when it is sent."""
    line = b"HTTP/1.1 %d %b\r\n" % (status, HTTPStatus(status).phrase.encode())
    return Response(line, b"".join(b"%b: %b\r\n" % field for field in headers), content)


def content_response(status: int, media_type: str, content: bytes) -> Response:
    """Return a response with content of a media type."""
    length = b"%d" % len(content)
    fields = [(b"content-type", media_type.encode()), (b"content-length", length)]
    return response(status, fields, content)


def problem_response(problem: Problem) -> Response:
    """Return the response that gives a problem's details."""
    plain = content_response(problem.status, MEDIA_TYPE, problem.body())
    # It quotes what was sent, which must not be taken for a page.
    headers = {**problem.headers, "X-Content-Type-Options": "nosniff"}
    extra = "".join(f"{name.lower()}: {text}\r\n" for name, text in headers.items())
    return plain._replace(fields=plain.fields + extra.encode("latin-1"))
