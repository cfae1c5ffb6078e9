"""Header fields that tell a browser what it must not do with a response."""

from starlette.datastructures import MutableHeaders
from starlette.types import Message, Send

from collector.http import docs, page_files

ALWAYS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",  # not no-referrer: the origin of some forms would be null
    "X-Frame-Options": "DENY",  # for browsers that do not know frame-ancestors
    "Cross-Origin-Resource-Policy": "same-origin",
}
NOTHING = "default-src 'none'; frame-ancestors 'none'"
_POLICIES = {docs.PATH: docs.POLICY, page_files.PATH: page_files.POLICY}


def guarded(path: str, send: Send) -> Send:
    """Return `send` with these header fields added to the response for a path."""

    async def send_guarded(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            headers.update(ALWAYS)
            headers["Content-Security-Policy"] = _POLICIES.get(path, NOTHING)
            if path.startswith(page_files.FILES):
                headers["Cache-Control"] = "no-cache"  # but kept, and asked for by its ETag
            elif not path.startswith(docs.ASSETS):
                headers["Cache-Control"] = "no-store"
        await send(message)

    return send_guarded
