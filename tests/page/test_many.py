"""10,000 sensors."""

from playwright.sync_api import Page, expect

from tests.builders import reading
from tests.page.conftest import post
from tests.stack import Stack

SENSORS = 10_000


def test_ten_thousand_sensors(page: Page, pipeline: Stack) -> None:
    post(pipeline, *(reading(i, value=i) for i in range(SENSORS)))
    expect(page.locator("#count")).to_have_text("10,000")
    page.locator("#list").focus()
    page.keyboard.press("End")
    expect(page.locator(f'.row[title="{SENSORS - 1}/temp"] .sensor')).to_be_in_viewport()
    assert page.locator(".rows .row").count() < 50

    page.get_by_role("button", name="Value").click()
    page.get_by_role("button", name="Value").click()
    page.locator("#search").fill("777")
    expect(page.locator("#count")).to_have_text("19 of 10,000")
    page.locator('.row[title="7771/temp"] .pin').click()
    page.keyboard.press("Home")
    first = page.locator('.rows .row[aria-rowindex="2"]')
    expect(first).to_have_attribute("title", "7771/temp")
    page.locator("#search").fill("no such sensor")
    expect(page.locator(".rows .row")).to_have_count(0)

    page.reload()
    expect(first).to_have_attribute("title", "7771/temp")
    expect(first.locator(".pin")).to_have_attribute("aria-pressed", "true")
    first.locator(".pin").click()
    expect(first).to_have_attribute("title", "0/temp")
