"""What axe finds: nothing serious, in light and dark, on a phone and a desk."""

from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.builders import reading
from tests.page.conftest import Visit, post
from tests.stack import Stack


def serious(page: Page) -> list[tuple[str, list[str]]]:
    """Return axe's rules that the page breaks, each with the elements."""
    violations: list[dict[str, Any]] = Axe().run(page).response["violations"]
    return [
        (violation["id"], [node["html"] for node in violation["nodes"]])
        for violation in violations
        if violation["impact"] in ("serious", "critical")
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1440])
def test_nothing_serious(visit: Visit, pipeline: Stack, width: int, scheme: str) -> None:
    page = visit(width, scheme)
    post(pipeline, reading(1), reading(2))
    expect(page.locator("figure canvas")).to_be_visible()
    assert serious(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_control_a_button_without_a_name_is_found(page: Page) -> None:
    page.evaluate("document.body.append(document.createElement('button'))")
    assert [rule for rule, _ in serious(page)] == ["button-name"]
