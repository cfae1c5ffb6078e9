"""What a newcomer does with the page: post, look, choose, search, copy."""

import json
import re
import subprocess
import time

from playwright.sync_api import Locator, Page, expect

from collector.publishing.quantities import LAST, WHOLE, quantity
from tests.builders import reading
from tests.page.conftest import Visit, own_pipeline, post
from tests.service import wait_for
from tests.stack import Stack

pipeline = own_pipeline  # an empty one

HOSTILE = ['<img src=x onerror="document.title=1">', "'\"><b>&amp;", "温 室"]


def shell(command: str) -> subprocess.Popen[bytes]:
    """Run a command as somebody does who pastes it."""
    pipe, nowhere = subprocess.PIPE, subprocess.DEVNULL
    return subprocess.Popen(["sh", "-c", command], stdout=pipe, stderr=nowhere)


def find(page: Page, key: str) -> Locator:
    """Return the row of a series, which is brought into view by a search for its sensor."""
    page.locator("#search").fill(key.partition("/")[0])
    row = page.locator(f'.row[title="{key}"]')
    expect(row).to_be_attached()
    return row


def chart(page: Page, key: str) -> None:
    """Choose a series, unless it is chosen already."""
    row = find(page, key)
    if row.get_attribute("aria-selected") != "true":
        row.click()


def copied(page: Page, command: str) -> str:
    """Return what the button beside a command puts on the clipboard."""
    page.get_by_role("button", name=f"Copy: {command}").click()
    expect(page.get_by_role("button", name=f"Copy: {command}")).to_have_text("Copied")
    return str(page.evaluate("navigator.clipboard.readText()"))


def test_what_the_empty_page_offers_to_copy_makes_the_first_reading_appear(
    visit: Visit, pipeline: Stack
) -> None:
    page = visit(permissions=["clipboard-read", "clipboard-write"])
    expect(page.get_by_text("No reading has arrived yet")).to_be_visible()
    expect(page.locator("#list")).to_be_hidden()

    watch = copied(page, "Watch readings on the broker")
    watcher = shell(f"exec {watch} -p {pipeline.broker.port} -C 1 -W 30")
    assert shell(copied(page, "Post a reading")).communicate()[0] == b"Created"
    output, _ = watcher.communicate()

    assert json.loads(output.split(maxsplit=1)[1])["value"] == 21.5
    expect(page.locator(".rows .row")).to_contain_text("21.5°C")
    expect(page.get_by_text("No reading has arrived yet")).to_be_hidden()
    expect(page.locator("figure canvas")).to_be_visible()
    expect(page.locator("#verdict")).to_have_text("Everything works")


def test_a_reading_appears_and_moves_on(page: Page, pipeline: Stack) -> None:
    post(pipeline, reading("attic", value=48.25, type_="humidity"))
    expect(page.locator('.row[title="attic/humidity"] .value')).to_have_text("48.25%")
    post(pipeline, reading("attic", value=49, type_="humidity"))
    expect(page.locator('.row[title="attic/humidity"] .value')).to_have_text("49%")


def test_what_is_sampled_is_called_so(page: Page, pipeline: Stack) -> None:
    post(pipeline, reading("slow"))
    expect(find(page, "slow/temp")).to_be_visible()
    expect(page.locator("#sampled")).to_be_hidden()
    now = time.time_ns()
    post(pipeline, *(reading("fast", now + i) for i in range(500)))
    expect(page.locator("#sampled")).to_contain_text("Sampled")


def test_figures_are_those_of_the_collector(page: Page, pipeline: Stack) -> None:
    post(pipeline, *(reading(f"counted{i}") for i in range(7)))
    accepted = json.loads(pipeline.collector.command("books", "--json").stdout)["accepted"]
    figures = page.locator("#figures dd")
    expect(figures.nth(0)).to_have_text(f"{accepted:,}")
    expect(figures.nth(1)).to_have_text(f"{accepted:,}")
    expect(figures.nth(2)).to_have_text("0")
    expect(page.locator('#parts li[data-state="up"]')).to_have_count(4)
    expect(page.locator("#parts li")).to_have_count(4)


def test_what_comes_from_outside_is_text(page: Page, pipeline: Stack) -> None:
    post(pipeline, *(reading(name, type_=name.replace("/", "")) for name in HOSTILE))
    for name in HOSTILE:
        expect(page.locator(".sensor bdi", has_text=name)).to_have_text(name)
        page.locator(".rows .row", has_text=name).click()
    expect(page.locator(".legend bdi", has_text=HOSTILE[0])).to_have_text(
        f"{HOSTILE[0]} {HOSTILE[0]}"
    )
    assert page.locator("img, .rows b b").count() == 0
    assert "Telemetry pipeline" in page.title()


def test_keys_alone_find_chart_and_pin_a_sensor(page: Page, pipeline: Stack) -> None:
    post(pipeline, reading("keys-1"), reading("keys-2", type_="pressure"))
    expect(page.locator('.row[title="keys-2/pressure"]')).to_be_attached()
    page.locator("#search").focus()
    page.keyboard.type("KEYS")
    expect(page.locator("#count")).to_have_text(re.compile("^2 of "))
    for _ in range(7):  # past the columns' buttons
        if page.evaluate("document.activeElement.id") == "list":
            break
        page.keyboard.press("Tab")
    page.keyboard.press("End")
    page.keyboard.press("Enter")
    expect(page.locator(".legend bdi", has_text="keys-2 pressure")).to_be_visible()
    active = page.locator("#list").get_attribute("aria-activedescendant")
    assert page.locator(f"#{active}").get_attribute("aria-selected") == "true"
    page.keyboard.press("p")
    expect(page.locator(".rows .row >> nth=0")).to_have_attribute("title", "keys-2/pressure")
    page.keyboard.press("Enter")
    expect(page.locator(".legend bdi", has_text="keys-2 pressure")).to_have_count(0)


def test_series_of_different_units_have_charts_of_their_own(page: Page, pipeline: Stack) -> None:
    post(pipeline, reading("u1"), reading("u1", type_="co2"), reading("u2"))
    for key in ("u1/temp", "u1/co2", "u2/temp"):
        chart(page, key)
    charts = page.locator("figure")
    expect(charts.filter(has_text="u1 temp").filter(has_text="u2 temp")).to_have_count(1)
    expect(charts.filter(has_text="u1 temp").filter(has_text="u1 co2")).to_have_count(0)
    link = page.get_by_role("link", name="Grafana").get_attribute("href")
    assert link
    assert link.startswith("http://127.0.0.1:3000/d/iot-readings?")
    assert "var-sensor=u1&var-type=co2" in link


def test_the_past_comes_from_the_database(page: Page, pipeline: Stack) -> None:
    post(pipeline, reading("past"))
    chart(page, "past/temp")
    query = "SELECT value FROM data WHERE sensor_id = 'past'"
    wait_for(lambda: pipeline.influx.query(query), what="the reading in InfluxDB")
    with page.expect_response(re.compile(r"/history\?.*range=hour")) as answer:
        page.get_by_role("button", name="Hour").click()
    assert len(answer.value.json()["past/temp"]) == 1
    csv = page.get_by_role("link", name="CSV of past temp")
    assert str(csv.get_attribute("href")).startswith("history.csv?series=past%2Ftemp&range=hour")


def test_units_are_those_of_home_assistant(page: Page) -> None:
    tables = page.evaluate(
        """async () => {
            const { LAST, WHOLE } = await import('/page/units.js');
            return [LAST, WHOLE];
        }"""
    )
    assert tables == [
        {name: quantity.unit or "" for name, quantity in names.items()} for names in (LAST, WHOLE)
    ]
    types = [*WHOLE, *LAST, "Soil-Moisture 2", "AM2301_Temperature", "POWER1", "toString", "voc"]
    units = page.evaluate(
        """async types => {
            const { unitOf } = await import('/page/units.js');
            return types.map(unitOf);
        }""",
        types,
    )
    assert units == [quantity(type_).unit or "" for type_ in types]


def test_control_what_breaks_the_content_security_policy_is_noticed(
    page: Page, console: list[str]
) -> None:
    page.evaluate("document.body.setAttribute('onclick', 'document.title = 1')")
    page.locator("h1").click()
    assert "Content Security Policy" in console.pop()
