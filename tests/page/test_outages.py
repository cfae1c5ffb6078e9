"""A part is killed: the page says which, why and what helps, and that it works again."""

import json
import re

import pytest
from playwright.sync_api import Page, expect

from tests.builders import reading
from tests.integration.mosquitto_clients import publish
from tests.page.conftest import Visit, own_pipeline, post
from tests.page.test_accessibility import serious
from tests.stack import Stack

UNKNOWN = ["unknown"] * 8

pipeline = own_pipeline


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


def say(stack: Stack, instance: str, state: str, *options: str, **counters: int) -> None:
    """Publish the status of a collector, as anybody may on this broker."""
    status = {"state": state, "counters": counters}
    publish(stack.broker, f"status/collector/{instance}", status, *options)


def clear(stack: Stack, instance: str) -> None:
    """Clear a status, as docs/operations.md says."""
    publish(stack.broker, f"status/collector/{instance}", b"", "-r")


def test_collectors_that_are_gone_for_good(page: Page, pipeline: Stack) -> None:
    works(page, pipeline, "before-gone")
    for n in range(7):
        say(pipeline, f"gone{n}", "offline", "-r")
    expect(page.locator("#notes li >> nth=5")).to_have_text("and 2 more")
    expect(page.locator("#notes")).to_contain_text("is offline")
    assert serious(page) == []
    works(page, pipeline, "beside-gone")
    for n in range(7):
        clear(pipeline, f"gone{n}")
    expect(page.locator("#notes li")).to_have_count(0)


def test_forged_counters_are_no_figures(page: Page, pipeline: Stack) -> None:
    works(page, pipeline, "before-forged")
    accepted = page.locator("#figures dd >> nth=0")
    before = json.loads(pipeline.collector.command("books", "--json").stdout)["accepted"]
    expect(accepted).to_have_text(f"{before}")
    # Not retained: a broker that is killed may come back with what was cleared before.
    say(pipeline, "forged", "up", accepted=-4, oldest_pending_s=2**53)
    part(page, "Collector", "up")
    expect(page.locator("#parts li >> nth=0")).to_contain_text("2 of 2")
    expect(accepted).to_have_text(f"{before}")
    expect(page.locator("#figures dd >> nth=5")).to_have_text("0 s")
    say(pipeline, "forged", "up", accepted=4)
    expect(accepted).to_have_text(f"{before + 4}")
    clear(pipeline, "forged")


SEEN = """state => {
    Object.defineProperty(document, "visibilityState", { value: state, configurable: true });
    document.dispatchEvent(new Event("visibilitychange"));
}"""


def test_a_hidden_page_holds_no_connection(page: Page, visit: Visit, pipeline: Stack) -> None:
    other = visit()
    works(page, pipeline, "before-hidden")
    with page.expect_event("requestfailed", lambda request: request.url.endswith("/live")):
        page.evaluate(SEEN, "hidden")
    post(pipeline, reading("meanwhile-hidden"))
    expect(other.locator('.row[title="meanwhile-hidden/temp"]')).to_be_attached()
    expect(page.locator('.row[title="meanwhile-hidden/temp"]')).to_have_count(0)
    page.evaluate("{ const now = performance.now(); performance.now = () => now + 6000; }")
    with page.expect_response(re.compile(r"/history\?.*before-hidden.*range=minutes")):
        page.evaluate(SEEN, "visible")
    page.evaluate("delete performance.now")
    expect(page.locator('.row[title="meanwhile-hidden/temp"]')).to_be_attached()
    works(page, pipeline, "after-hidden")


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


def test_bridge(visit: Visit, pipeline: Stack) -> None:
    page = visit(scheme="dark")
    works(page, pipeline, "before-bridge")
    pipeline.bridge.kill()
    expect(page.locator("#verdict")).to_contain_text("is offline")
    part(page, "Bridge", "down")
    part(page, "InfluxDB", "unknown")
    expect(page.locator("#problems")).to_contain_text("Start the bridge")
    assert serious(page) == []
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
