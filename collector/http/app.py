"""The HTTP application: page, health, metrics, documentation; 404 or 405 for everything else."""

from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.responses import HTMLResponse, PlainTextResponse
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from collector.audit.unreachable import InfluxUnreachable
from collector.http import docs, elsewhere, history, page_files, stream
from collector.http.guard import guarded
from collector.http.metrics import Metrics
from collector.http.openapi import document
from collector.http.origins import Origins
from collector.http.problem import MEDIA_TYPE, Problem
from collector.http.readiness import Readiness
from collector.http.refusal import unavailable
from collector.live.history import History
from collector.live.turns import HistoryBusy
from collector.outbox.group_commit import OutboxBusy


class App(FastAPI):
    """Everything but POST /data: FastAPI would cost as much as all the rest of it."""

    def __init__(
        self, readiness: Readiness, metrics: Metrics, past: History, origins: Origins
    ) -> None:
        super().__init__(
            docs_url=None,
            redoc_url=None,
            redirect_slashes=False,
        )
        if origins.allowed:
            # Whatever a page asks for is allowed here, and answered elsewhere: with 405 if need be.
            self.add_middleware(
                CORSMiddleware,
                allow_origins=sorted(origins.allowed),
                allow_methods=["*"],
                allow_headers=["*"],
                expose_headers=["Retry-After"],
            )
        self.router.routes.append(Route("/data", _OnlyElsewhere()))
        self.router.routes.append(Route(stream.PATH, _OnlyElsewhere()))
        self.router.routes.append(Route(page_files.PATH, page_files.page))
        self.mount(page_files.FILES, page_files.static)
        self.get(docs.PATH, response_class=HTMLResponse)(docs.page)
        self.mount(docs.ASSETS, docs.assets())
        self.router.routes.extend(history.routes(past))
        for kind in (Problem, InfluxUnreachable, HistoryBusy, OutboxBusy):
            self.add_exception_handler(kind, _refused)
        self.add_exception_handler(HTTPStatus.NOT_FOUND, _not_found)
        self.add_exception_handler(HTTPStatus.METHOD_NOT_ALLOWED, _not_allowed)
        self.get("/healthz", response_class=PlainTextResponse)(_healthz)

        @self.get("/readyz", response_class=PlainTextResponse)
        async def readyz() -> Response:
            """Whether readings are accepted and published, by all workers."""
            if reasons := await readiness.obstacles():
                return _response(Problem(HTTPStatus.SERVICE_UNAVAILABLE, "; ".join(reasons)))
            return PlainTextResponse("ready\n")

        @self.get("/metrics", response_class=PlainTextResponse, name="metrics")
        async def counted(request: Request) -> Response:
            """Return what the collector counts, as Prometheus or OpenMetrics have it."""
            media_type, content = await metrics.answer(request.headers.get("accept", ""))
            return Response(content, headers={"Content-Type": media_type})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope.get("method") == "HEAD":  # uvicorn, which knows, leaves out the content
            scope = {**scope, "method": "GET"}
        await super().__call__(scope, receive, guarded(scope["path"], send))

    def openapi(self) -> dict[str, Any]:
        return document(datetime.now(UTC))


class _OnlyElsewhere:
    """An endpoint whose own method never comes here."""

    async def __call__(self, _: Scope, __: Receive, ___: Send) -> None:
        raise HTTPException(HTTPStatus.METHOD_NOT_ALLOWED)


async def _healthz() -> str:
    """Whether the process answers."""
    return "alive\n"


async def _not_found(request: Request, _: Exception) -> Response:
    return _response(elsewhere.not_found(request.url.path))


async def _not_allowed(request: Request, _: Exception) -> Response:
    return _response(elsewhere.not_allowed(request.url.path, request.method))


async def _refused(_: Request, error: Exception) -> Response:
    return _response(error if isinstance(error, Problem) else unavailable(str(error)))


def _response(problem: Problem) -> Response:
    return Response(problem.body(), problem.status, problem.headers, MEDIA_TYPE)
