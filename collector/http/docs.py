"""GET /docs: Swagger UI, with nothing loaded from elsewhere."""

import base64
import hashlib
import re
from importlib.resources import files

from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import HTMLResponse
from starlette.staticfiles import StaticFiles

PATH = "/docs"
ASSETS = "/docs/assets"
_PARAMETERS = {
    "validatorUrl": None,  # else Swagger UI asks a server of its makers about the document
    "defaultModelsExpandDepth": 0,  # a label's pattern fills a page
}
_SCRIPT = re.compile(rb"<script>(.*?)</script>", re.DOTALL)

_page = get_swagger_ui_html(
    openapi_url="/openapi.json",
    title="Collector",
    swagger_js_url=f"{ASSETS}/swagger-ui-bundle.js",
    swagger_css_url=f"{ASSETS}/swagger-ui.css",
    swagger_favicon_url=f"{ASSETS}/favicon.png",
    swagger_ui_parameters=_PARAMETERS,
)


def _policy(page: bytes) -> str:
    """Return the content security policy that lets a page run its own scripts and no others."""
    digests = [hashlib.sha256(script).digest() for script in _SCRIPT.findall(page)]
    scripts = " ".join(f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests)
    return (
        f"default-src 'none'; script-src 'self' {scripts}; connect-src 'self';"
        # Swagger UI writes styles into its elements.
        " style-src 'self' 'unsafe-inline'; img-src 'self' data:;"
        " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


POLICY = _policy(bytes(_page.body))
"""The Content-Security-Policy of the page."""


def assets() -> StaticFiles:
    """Return the application that serves Swagger UI's files."""
    return StaticFiles(directory=str(files("fastapi_offline") / "static"))


async def page() -> HTMLResponse:
    """Return the page, which shows /openapi.json."""
    return _page
