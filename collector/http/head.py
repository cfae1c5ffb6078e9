"""The head of a request, parsed by httptools from exactly its bytes."""

import re
from http import HTTPStatus
from typing import NamedTuple
from urllib.parse import unquote

import httptools

from collector.http.media import Headers, Terms, terms
from collector.http.origins import Site, site
from collector.http.problem import Problem

END = b"\r\n\r\n"
# A client sends the same head again and again, with another Content-Length at most.
_CACHED_HEADS = 10_000
_CACHED_HEAD_BYTES = 1000
# A line of the head, its end left; what has other characters is left to the parser.
_AUTHORIZATION = re.compile(rb"\r\n(?i:authorization):[ \t]*([!-~]+ [!-~]+)[ \t]*(?=\r\n)")


class Head(NamedTuple):
    """What a head says.

    `length` is that of the body in bytes, None if it is chunked. A POST /data has either `terms`
    or the `problem` that they have; for any other request both are None. `site` is that of the
    page that sent it; None if no page did.
    """

    method: str
    path: str
    query: bytes
    headers: Headers
    length: int | None
    keep_alive: bool
    expects_continue: bool
    terms: Terms | None = None
    problem: Problem | None = None
    url: bytes = b""
    site: Site | None = None


def parse(head: bytes) -> Head:
    """Parse the bytes of a head, END included; raises Problem 400, or 501 for other codings.

    An offer to upgrade is ignored: the parser would take the body for the other protocol, but it
    never sees a body.
    """
    if known := _cache.get(head):
        return known
    if len(head) > _CACHED_HEAD_BYTES:
        return _parse(head)
    # The cache must hold no secrets. Without that line the head is of the same kind.
    secret = _AUTHORIZATION.search(head)
    rest = head[: secret.start()] + head[secret.end() :] if secret else head
    if b"\r\nauthorization" in rest.lower():
        return _parse(head)
    parsed = _cache.get(rest) or _keep(rest, _parse(rest))
    if secret is None:
        return parsed
    if parsed.terms is None:
        return _parse(head)
    # What _replace would do in three times the time.
    terms = Terms._make((*parsed.terms[:_AUTHORIZATION_AT], secret[1].rstrip()))
    return Head._make((*parsed[:_TERMS_AT], terms, *parsed[_TERMS_AT + 1 :]))


_TERMS_AT = Head._fields.index("terms")
_AUTHORIZATION_AT = Terms._fields.index("authorization")  # the last
_cache: dict[bytes, Head] = {}


class _Callbacks:
    """What httptools has found; it calls the methods."""

    def __init__(self) -> None:
        self.url = b""
        self.headers: Headers = []
        self.version = ""  # until the head is complete
        self.keep_alive = False
        self.parser = httptools.HttpRequestParser(self)

    def on_url(self, url: bytes) -> None:
        self.url += url

    def on_header(self, name: bytes, text: bytes) -> None:
        self.headers.append((name.lower(), text))

    def on_headers_complete(self) -> None:
        self.version = self.parser.get_http_version()
        self.keep_alive = self.version == "1.1" and self.parser.should_keep_alive()


def _parse(head: bytes) -> Head:
    found = _Callbacks()
    try:
        found.parser.feed_data(head)
    except httptools.HttpParserUpgrade:
        pass  # raised after the head
    except httptools.HttpParserError as error:
        raise _not_http(error) from None
    if found.version not in ("1.0", "1.1"):
        raise _not_http(f"version {found.version!r}")
    return _head(found.parser.get_method().decode(), found.url, found.headers, found.keep_alive)


def _keep(head: bytes, parsed: Head) -> Head:
    if len(_cache) >= _CACHED_HEADS:
        _cache.clear()
    _cache[head] = parsed
    return parsed


def _head(method: str, url: bytes, headers: Headers, keep_alive: bool) -> Head:
    fields = dict(headers)
    try:
        target = httptools.parse_url(url)
    except httptools.HttpParserInvalidURLError as error:
        raise _not_http(error) from None
    head = Head(
        method,
        unquote((target.path or b"").decode("latin-1")),
        target.query or b"",
        headers,
        _length(fields),
        keep_alive and b"transfer-encoding" not in fields,
        fields.get(b"expect", b"").lower() == b"100-continue",
        url=url,
        site=site(headers),
    )
    return _with_terms(head) if (head.method, head.path) == ("POST", "/data") else head


def _with_terms(head: Head) -> Head:
    try:
        return head._replace(terms=terms(head.headers, head.query), headers=[])
    except Problem as problem:
        return head._replace(problem=problem.with_traceback(None), headers=[])


def _length(fields: dict[bytes, bytes]) -> int | None:
    coding = fields.get(b"transfer-encoding")
    if coding is None:
        return int(fields.get(b"content-length", b"0"))
    if coding.lower() != b"chunked":
        detail = f"Transfer-Encoding {coding.decode('latin-1')!r}: send chunked or none"
        raise Problem(HTTPStatus.NOT_IMPLEMENTED, detail)
    return None


def _not_http(error: object) -> Problem:
    return Problem(HTTPStatus.BAD_REQUEST, f"not an HTTP/1.1 request: {error}")
