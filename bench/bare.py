"""The smallest app that answers a POST: decodes a reading, sends 201. `python -m bench.bare PORT`.

Served by uvicorn on uvloop and httptools.
"""

import sys

import msgspec
import uvicorn
from starlette.types import Receive, Scope, Send

from telemetry.reading import Reading

_decode = msgspec.json.Decoder(Reading).decode
_START = {
    "type": "http.response.start",
    "status": 201,
    "headers": [(b"content-type", b"text/plain"), (b"content-length", b"7")],
}


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] != "http":
        return
    message = await receive()
    if message["body"]:
        _decode(message["body"])
    await send(_START)
    await send({"type": "http.response.body", "body": b"Created"})


if __name__ == "__main__":
    uvicorn.run(
        app,
        port=int(sys.argv[1]),
        loop="uvloop",
        http="httptools",
        access_log=False,
        log_config=None,
        lifespan="off",
        ws="none",
        server_header=False,
    )
