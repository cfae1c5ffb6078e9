"""The HTTP interface: POST /data beside FastAPI's health, metrics and documentation."""

from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.responses import PlainTextResponse
from starlette.exceptions import HTTPException
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from collector.books import Books
from collector.openapi import DATA
from collector.outbox import Outbox
from collector.problem import MEDIA_TYPE, Problem
from collector.publisher import Publisher


class App(FastAPI):
    """FastAPI, except that POST /data goes straight to its endpoint."""

    def __init__(self, data: ASGIApp, outbox: Outbox, publisher: Publisher) -> None:
        super().__init__(
            title="Collector",
            description="Takes readings; a 201 means they survive whatever happens next.",
            redoc_url=None,
            redirect_slashes=False,
        )
        self._data = data
        self.router.routes.append(Route("/data", data, methods=["POST"]))  # all others: 405
        self.add_exception_handler(HTTPException, _http_problem)
        self.get("/healthz", response_class=PlainTextResponse)(_healthz)

        @self.get("/readyz", response_class=PlainTextResponse)
        async def readyz() -> Response:
            """Whether readings are taken and go out: broker reachable, room in the outbox."""
            reasons = []
            if not publisher.connected:
                reasons.append("the broker cannot be reached; readings wait in the outbox")
            if full := outbox.full:
                reasons.append(full)
            if reasons:
                return _answer(Problem(HTTPStatus.SERVICE_UNAVAILABLE, "; ".join(reasons)))
            return PlainTextResponse("ready\n")

        @self.get("/metrics", response_class=PlainTextResponse)
        async def metrics() -> str:
            """Counters in Prometheus' text format; accepted = stored + rejected + pending."""
            return "".join(
                f"# TYPE collector_{name} gauge\ncollector_{name} {value}\n"
                for name, value in counters(outbox, publisher).items()
            )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "http" and scope["path"] == "/data" and scope["method"] == "POST":
            await self._data(scope, receive, send)
        else:
            await super().__call__(scope, receive, send)

    def openapi(self) -> dict[str, Any]:
        """Return the description of all endpoints."""
        schema = super().openapi()
        schema["paths"].setdefault("/data", DATA)
        return schema


def counters(outbox: Outbox, publisher: Publisher) -> dict[str, int]:
    """Return the collector's counters, as /metrics and its status say them."""
    books = Books(outbox.last, outbox.stored, outbox.rejected, publisher.pending)
    return {
        **books._asdict(),
        "unbalanced": books.unbalanced,
        "published": publisher.published,
        "replayed": publisher.replayed,
        "outbox_bytes": outbox.bytes,
    }


async def _healthz() -> str:
    """Whether the process answers."""
    return "alive\n"


async def _http_problem(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - Starlette's registry is not typed
    return _answer(
        Problem(HTTPStatus(error.status_code), str(error.detail), headers=dict(error.headers or {}))
    )


def _answer(problem: Problem) -> Response:
    return Response(problem.body(), problem.status, problem.headers, MEDIA_TYPE)
