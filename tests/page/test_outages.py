"""A part is killed: the page says which, why and what helps, and that it works again."""

import pytest
from playwright.sync_api import Page, expect

from tests.builders import reading
from tests.page.conftest import post
from tests.stack import Stack

UNKNOWN = ["unknown"] * 7


@pytest.fixture
def expected_errors() -> str:
    """Requests that fail while a part is away are logged by the browser itself."""
    return r"Failed to load resource"


def figures(page: Page) -> list[str]:
    return page.locator("#figures dd").all_inner_texts()


def part(page: Page, name: str, state: str) -> None:
    """Wait until the page shows this part in this state."""
    expect(page.locator("#parts li", has_text=name)).to_have_attribute("data-state", state)


def works(page: Page, stack: Stack, sensor: str) -> None:
    """Wait until all is well and a reading that is posted now is shown."""
    expect(page.locator("#verdict")).to_have_text("Everything works")
    expect(page.locator("#problems li")).to_have_count(0)
    post(stack, reading(sensor))
    expect(page.locator(f'.row[title="{sensor}/temp"]')).to_be_attached()


def test_broker(page: Page, pipeline: Stack) -> None:
    works(page, pipeline, "before-broker")
    pipeline.broker.kill()
    expect(page.locator("#verdict")).to_have_text("The broker does not answer")
    expect(page.locator("#problems .reason")).not_to_be_empty()
    expect(page.locator("#problems")).to_contain_text("wait in the outbox")
    assert figures(page) == UNKNOWN
    part(page, "Broker", "down")
    part(page, "InfluxDB", "unknown")
    pipeline.start("broker")
    works(page, pipeline, "after-broker")


def test_database(page: Page, pipeline: Stack) -> None:
    works(page, pipeline, "before-database")
    pipeline.influx.kill()
    post(pipeline, reading("meanwhile"))
    expect(page.locator("#verdict")).to_have_text("The bridge waits for InfluxDB")
    expect(page.locator("#problems .reason")).to_contain_text("InfluxDB")
    part(page, "InfluxDB", "down")
    part(page, "Bridge", "up")
    expect(page.locator("#figures dd >> nth=2")).to_have_text("1")
    pipeline.start("influx")
    works(page, pipeline, "after-database")


def test_bridge(page: Page, pipeline: Stack) -> None:
    works(page, pipeline, "before-bridge")
    pipeline.bridge.kill()
    expect(page.locator("#verdict")).to_contain_text("is offline")
    part(page, "Bridge", "down")
    part(page, "InfluxDB", "unknown")
    expect(page.locator("#problems")).to_contain_text("Start the bridge")
    pipeline.start("bridge")
    works(page, pipeline, "after-bridge")


def test_collector(page: Page, pipeline: Stack) -> None:
    works(page, pipeline, "before-collector")
    pipeline.collector.pause()
    expect(page.locator("#verdict")).to_contain_text("No news from the collector")
    assert figures(page) == UNKNOWN
    pipeline.collector.resume()
    works(page, pipeline, "paused-collector")
    pipeline.collector.kill()
    expect(page.locator("#verdict")).to_have_text("No connection to the collector")
    assert figures(page) == UNKNOWN
    pipeline.start("collector")
    works(page, pipeline, "after-collector")
