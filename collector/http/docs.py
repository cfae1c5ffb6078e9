"""GET /docs: Swagger UI, with nothing loaded from elsewhere."""

from importlib.resources import files

from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import HTMLResponse
from starlette.staticfiles import StaticFiles

ASSETS = "/docs/assets"
_PARAMETERS = {
    "validatorUrl": None,  # else Swagger UI asks a server of its makers about the document
    "defaultModelsExpandDepth": 0,  # a label's pattern fills a page
}


def assets() -> StaticFiles:
    """Return the application that serves Swagger UI's files."""
    return StaticFiles(directory=str(files("fastapi_offline") / "static"))


async def page() -> HTMLResponse:
    """Return the page, which shows /openapi.json."""
    return get_swagger_ui_html(
        openapi_url="/openapi.json",
        title="Collector",
        swagger_js_url=f"{ASSETS}/swagger-ui-bundle.js",
        swagger_css_url=f"{ASSETS}/swagger-ui.css",
        swagger_favicon_url=f"{ASSETS}/favicon.png",
        swagger_ui_parameters=_PARAMETERS,
    )
