"""10,000 sensors."""

from playwright.sync_api import Page, expect

from tests.builders import reading
from tests.page.conftest import own_pipeline, post
from tests.stack import Stack

SENSORS = 10_000

pipeline = own_pipeline  # that has no others


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


def test_series_that_come_and_go_for_days_do_not_fill_the_browser(page: Page) -> None:
    known, newest = page.evaluate(
        """async () => {
            const { Series } = await import('/page/series.js');
            const series = new Series();
            const frame = (n) => Array.from({ length: 2000 }, (_, i) => [`${n}-${i}`, "t", n, i]);
            for (let n = 1; n <= 50; n += 1) series.take({ all: false, readings: frame(n) });
            return [series.rows.size, series.rows.has("50-1999/t")];
        }"""
    )
    assert known <= 12_000
    assert newest


def test_points_of_a_series_are_bounded_and_span_the_time(page: Page) -> None:
    points = page.evaluate(
        """async () => {
            const { Series } = await import('/page/series.js');
            const series = new Series();
            for (let ts = 0; ts < 800000; ts += 500) {
                series.take({ all: false, readings: [["a", "t", ts, 1]] });
            }
            return series.rows.get("a/t").times;
        }"""
    )
    assert 60 <= len(points) <= 120
    assert points[0] == 0
    assert points[-1] == 799_500
