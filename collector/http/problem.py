"""Errors as RFC 9457 problem details."""

from http import HTTPStatus

import msgspec

MEDIA_TYPE = "application/problem+json"


class Problem(Exception):
    """A request that is refused, with the details that its response gives."""

    def __init__(
        self,
        status: HTTPStatus,
        detail: str,
        *,
        errors: list[dict[str, object]] | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.errors = errors
        self.headers = headers or {}

    def body(self) -> bytes:
        """Return the problem details as JSON."""
        details: dict[str, object] = {
            "type": "about:blank",
            "title": self.status.phrase,
            "status": self.status.value,
            "detail": self.detail,
        }
        if self.errors is not None:
            details["errors"] = self.errors
        return msgspec.json.encode(details)
