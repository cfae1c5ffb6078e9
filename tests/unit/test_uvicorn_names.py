"""The names of uvicorn that the fast path relies on, though uvicorn does not document them."""

import ast
import asyncio
import inspect
from typing import Any, cast

import pytest
import uvicorn
from uvicorn.protocols.http.httptools_impl import (
    STATUS_LINE,
    HttpToolsProtocol,
    RequestResponseCycle,
)
from uvicorn.server import ServerState

from collector.http.fast_path import FastPathProtocol, PendingRequest

NAMES = {
    "_unset_keepalive_if_required",
    "cycle",
    "expect_100_continue",
    "flow",
    "headers",
    "on_response_complete",
    "parser",
    "server_state",
    "transport",
    "url",
}


def borrowed(source: str) -> set[str]:
    """Return the attributes of `self` that a class uses and does not define."""
    nodes = list(ast.walk(ast.parse(source)))
    own = {node.name for node in nodes if isinstance(node, ast.FunctionDef)}
    attributes = [
        node
        for node in nodes
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == "self"
    ]
    private = {"_endpoint", "_heads", "_is_between_requests", "_is_plain"}
    return {node.attr for node in attributes} - own - private


def test_the_list_is_complete() -> None:
    assert borrowed(inspect.getsource(FastPathProtocol)) == NAMES


def test_a_name_that_is_not_listed_is_found() -> None:
    assert borrowed("class P(Q):\n    def f(self):\n        self.pipeline") == {"pipeline"}


async def dialled() -> HttpToolsProtocol:
    """Return uvicorn's protocol in the state in which a request begins."""
    config = uvicorn.Config(lambda: None, log_config=None)
    protocol = HttpToolsProtocol(config=config, server_state=ServerState(), app_state={})
    protocol.connection_made(cast("Any", asyncio.Transport()))
    protocol.on_message_begin()
    return protocol


@pytest.mark.parametrize("name", sorted(NAMES))
def test_uvicorn_has_the_name(name: str) -> None:
    assert hasattr(asyncio.run(dialled()), name)


def test_a_pending_request_has_the_shape_of_uvicorns() -> None:
    source = inspect.getsource(RequestResponseCycle.__init__)
    for name in ("message_event", "disconnected", "keep_alive", "response_complete"):
        assert f"self.{name} =" in source
        assert hasattr(PendingRequest, name)


def test_a_status_line_is_as_it_is_sent() -> None:
    assert STATUS_LINE[201] == b"HTTP/1.1 201 Created\r\n"
