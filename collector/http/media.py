"""The forms of a body that are understood: JSON or NDJSON, plain or gzipped."""

from http import HTTPStatus

from collector.http.problem import Problem

JSON = "application/json"
NDJSON = "application/x-ndjson"
_HINT = f"send Content-Type: {JSON} (an object or an array) or {NDJSON}"

Headers = list[tuple[bytes, bytes]]


def is_ndjson(headers: Headers) -> bool:
    """Return whether the body is NDJSON rather than JSON; raises Problem 415 for anything else."""
    ndjson = False
    for name, text in headers:
        if name == b"content-type" and text != b"application/json":
            ndjson = _is_ndjson(text.decode("latin-1"))
    return ndjson


def is_gzipped(headers: Headers) -> bool:
    """Return whether the body is gzipped; raises Problem 415 for any other encoding."""
    gzipped = False
    for name, text in headers:
        if name == b"content-encoding" and text != b"identity":
            if text.lower() != b"gzip":
                detail = f"Content-Encoding {text.decode('latin-1')!r}: send gzip or none"
                raise Problem(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, detail)
            gzipped = True
    return gzipped


def _is_ndjson(content_type: str) -> bool:
    media_type, *parameters = (part.strip().lower() for part in content_type.split(";"))
    charset_is_utf8 = all(p in ("", "charset=utf-8", 'charset="utf-8"') for p in parameters)
    if media_type not in (JSON, NDJSON) or not charset_is_utf8:
        detail = f"Content-Type {content_type!r}: {_HINT}"
        raise Problem(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, detail)
    return media_type == NDJSON
