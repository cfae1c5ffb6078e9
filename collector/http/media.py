"""What the header fields and the query of a POST /data say of its body and its response."""

from http import HTTPStatus
from typing import NamedTuple

from collector.http.problem import Problem

JSON = "application/json"
NDJSON = "application/x-ndjson"
_HINT = f"send Content-Type: {JSON} (an object or an array) or {NDJSON}"

Headers = list[tuple[bytes, bytes]]


class Terms(NamedTuple):
    """NDJSON or JSON, gzipped or not, whether to respond once stored, and the Authorization."""

    lines: bool
    gzipped: bool
    stored: bool
    authorization: bytes


def terms(headers: Headers, query: bytes) -> Terms:
    """Return the terms of a POST /data; raises Problem 415, or 400 for an unknown query."""
    stored = _wants_stored(query)
    authorization = dict(headers).get(b"authorization", b"")
    return Terms(_is_ndjson(headers), _is_gzipped(headers), stored, authorization)


def _is_ndjson(headers: Headers) -> bool:
    ndjson = False
    for name, text in headers:
        if name == b"content-type":
            ndjson = _names_ndjson(text.decode("latin-1"))
    return ndjson


def _is_gzipped(headers: Headers) -> bool:
    gzipped = False
    for name, text in headers:
        if name == b"content-encoding" and text != b"identity":
            if text.lower() != b"gzip":
                detail = f"Content-Encoding {text.decode('latin-1')!r}: send gzip or none"
                raise Problem(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, detail)
            gzipped = True
    return gzipped


def _names_ndjson(content_type: str) -> bool:
    media_type, *parameters = (part.strip().lower() for part in content_type.split(";"))
    charset_is_utf8 = all(p in ("", "charset=utf-8", 'charset="utf-8"') for p in parameters)
    if media_type not in (JSON, NDJSON) or not charset_is_utf8:
        detail = f"Content-Type {content_type!r}: {_HINT}"
        raise Problem(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, detail)
    return media_type == NDJSON


def _wants_stored(query: bytes) -> bool:
    if query in (b"", b"ack=committed"):
        return False
    if query == b"ack=stored":
        return True
    raise Problem(
        HTTPStatus.BAD_REQUEST, f"unknown query {query.decode('latin-1')!r}; there is ?ack=stored"
    )
