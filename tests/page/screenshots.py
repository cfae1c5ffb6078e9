"""`python -m tests.page.screenshots`: pictures of the page for the README, in docs/pictures/.

Each is of a real pipeline with the readings of seven rooms in the last quarter of an hour.
"""

import itertools
import math
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from playwright.sync_api import Browser, Page, ViewportSize, expect, sync_playwright

from run.configuration import ROOT
from tests.builders import Json, reading
from tests.page.chromium import launch
from tests.page.conftest import post
from tests.service import wait_for
from tests.stack import Stack

PICTURES = ROOT / "docs" / "pictures"
ROOMS = ("attic", "bedroom", "cellar", "garage", "greenhouse", "kitchen", "office")
# What each room measures: the middle, and how far it swings.
TYPES = {"temp": (20.0, 3.0), "humidity": (48.0, 9.0), "co2": (620.0, 140.0)}
CHOSEN = [f"{room}/{type_}" for type_ in ("temp", "co2") for room in ("kitchen", "office")]
STEP_S, SPAN_S, SECOND = 5, 900, 10**9
# The first row's past, which nothing else asks for.
CURVES = """performance.getEntriesByType("resource").some(({name}) => name.includes("attic"))"""
SIZES: tuple[ViewportSize, ...] = ({"width": 360, "height": 780}, {"width": 1440, "height": 900})
Scheme = Literal["light", "dark"]
SCHEMES: tuple[Scheme, ...] = ("light", "dark")


def at(ns: int) -> Iterator[Json]:
    """Yield a reading of each room and type at a time in nanoseconds."""
    for number, (room, type_) in enumerate(itertools.product(ROOMS, TYPES)):
        middle, swing = TYPES[type_]
        phase = ns / SECOND + 97 * number
        wave = math.sin(phase / 140) + 0.3 * math.sin(phase / 31) + 0.05 * math.sin(phase * 7)
        yield reading(room, ns, round(middle + number % 5 + swing * wave / 1.4, 1), type_)


def fill(stack: Stack) -> None:
    """Post the past, and wait until InfluxDB has it."""
    now = time.time_ns()
    times = range(now - SPAN_S * SECOND, now, STEP_S * SECOND)
    readings = [one for ns in times for one in at(ns)]
    post(stack, *readings)
    count = "SELECT count(value) FROM data"
    wait_for(lambda: [r["count"] for r in stack.influx.query(count)] == [len(readings)])


def take(browser: Browser, stack: Stack, size: ViewportSize, scheme: Scheme) -> None:
    """Open the page at this size, and take its picture once it shows its charts."""
    context = browser.new_context(viewport=size, color_scheme=scheme)
    chosen = str(CHOSEN).replace("'", '"')
    context.add_init_script(f"localStorage.setItem('chosen', '{chosen}')")
    page = context.new_page()
    page.goto(stack.collector.url)
    wait_for(lambda: complete(page, stack), what="charts with their past")
    page.screenshot(path=PICTURES / f"page-{size['width']}-{scheme}.png")
    context.close()


def complete(page: Page, stack: Stack) -> bool:
    """Post what is measured now; return whether all of the page has been filled."""
    post(stack, *at(time.time_ns()))
    page.wait_for_timeout(1_000)
    expect(page.locator("#verdict")).to_have_text("Everything works")
    pending = page.locator("#figures dd").nth(2).inner_text()
    charts = page.locator("figure").count()
    return charts == len({*CHOSEN}) // 2 and pending == "0" and page.evaluate(CURVES)


def main() -> None:
    """Start a pipeline and take the pictures."""
    PICTURES.mkdir(exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as directory,
        Stack(Path(directory)) as stack,
        sync_playwright() as playwright,
        launch(playwright) as browser,
    ):
        fill(stack)
        for size, scheme in itertools.product(SIZES, SCHEMES):
            take(browser, stack, size, scheme)


if __name__ == "__main__":
    main()
