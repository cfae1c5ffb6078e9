"""The distribution's Chromium, which asks nobody for anything."""

import shutil

from playwright.sync_api import Browser, Playwright

from run.configuration import SEARCH_PATH

_OPTIONS = [
    "--no-sandbox",  # root has none
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def launch(playwright: Playwright) -> Browser:
    """Start Chromium without a window."""
    program = shutil.which("chromium", path=SEARCH_PATH)
    assert program, "chromium is not installed"
    return playwright.chromium.launch(executable_path=program, args=_OPTIONS)
