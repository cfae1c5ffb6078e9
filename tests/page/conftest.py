"""Headless Chromium before the page of a real pipeline."""

import json
import re
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from typing import Literal

import pytest
from playwright.sync_api import Browser, Page, ViewportSize, expect, sync_playwright

from tests.builders import Json, as_json
from tests.page.chromium import launch
from tests.stack import Stack

Visit = Callable[..., Page]

expect.set_options(timeout=20_000)


def post(stack: Stack, *readings: Json) -> None:
    """Post readings to the collector; they have been accepted when this returns."""
    request = urllib.request.Request(f"{stack.collector.url}/data", as_json(readings))
    request.add_header("Content-Type", "application/json")
    with urllib.request.urlopen(request, timeout=30) as response:
        assert json.load(response) == {"accepted": len(readings)}


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright, launch(playwright) as browser:
        yield browser


def begin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A pipeline whose collector knows of a Grafana."""
    stack = Stack(tmp_path_factory.mktemp("pipeline"))
    stack.collector.env["GRAFANA_PORT"] = "3000"
    with stack:
        yield stack


pipeline = pytest.fixture(scope="package")(begin)
own_pipeline = pytest.fixture(scope="module")(begin)


@pytest.fixture
def expected_errors() -> str:
    """What the browser may log as an error: nothing."""
    return r"(?!)"


@pytest.fixture
def console(expected_errors: str) -> Iterator[list[str]]:
    """The errors that the browser logs; at the end of a test there is none."""
    errors: list[str] = []
    yield errors
    assert [error for error in errors if not re.search(expected_errors, error)] == []


@pytest.fixture
def visit(browser: Browser, pipeline: Stack, console: list[str]) -> Iterator[Visit]:
    """Open the page: `width` in px, `scheme` light or dark, `permissions` of the browser."""
    contexts = []

    def open_page(
        width: int = 1280,
        scheme: Literal["light", "dark"] = "light",
        permissions: Sequence[str] = (),
    ) -> Page:
        viewport: ViewportSize = {"width": width, "height": 800}
        context = browser.new_context(
            viewport=viewport, color_scheme=scheme, permissions=permissions
        )
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda said: console.append(said.text) if said.type == "error" else None)
        page.on("pageerror", lambda error: console.append(str(error)))
        page.goto(pipeline.collector.url)
        return page

    yield open_page
    for context in contexts:
        context.close()


@pytest.fixture
def page(visit: Visit) -> Page:
    return visit()
