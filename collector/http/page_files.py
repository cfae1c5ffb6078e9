"""The page at /, and its files below /page/."""

from importlib.resources import files

from starlette.requests import Request
from starlette.responses import Response
from starlette.staticfiles import StaticFiles

PATH = "/"
FILES = "/page"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self';"
    " img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""The Content-Security-Policy of the page."""

static = StaticFiles(directory=str(files("collector.http") / "page"))


async def page(request: Request) -> Response:
    """Return the page."""
    return await static.get_response("index.html", request.scope)
