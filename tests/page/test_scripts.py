"""Scripts of the page by themselves, in the browser."""

import pytest
from playwright.sync_api import Page, expect

from tests.builders import reading
from tests.page.conftest import post
from tests.stack import Stack


def counts(page: Page, *services: tuple[str, str, float]) -> tuple[int, int]:
    """Return how many problems and notes these services are: (service, state, age in seconds)."""
    rows = [
        {"service": name, "instance": f"i{n}", "state": state, "age_s": age, "counters": {}}
        for n, (name, state, age) in enumerate(services)
    ]
    event = {"broker": {"up": True, "reason": None}, "services": rows, "rate": 0}
    state = page.evaluate("async e => (await import('/page/state.js')).summarise(e)", event)
    return len(state["problems"]), len(state["notes"])


def test_collectors_that_are_offline_are_a_note_beside_one_that_is_up(page: Page) -> None:
    bridge, up = ("bridge", "storing", 0), ("collector", "up", 0)
    silent, offline = ("collector", "up", 11), ("collector", "offline", 999)
    assert counts(page, bridge, up) == (0, 0)
    assert counts(page, bridge, up, offline) == (0, 1)
    assert counts(page, bridge, up, silent) == (1, 0)
    assert counts(page, bridge, offline) == (1, 0)
    assert counts(page, bridge, silent, offline) == (2, 0)


def test_one_bad_series_does_not_starve_the_others(page: Page) -> None:
    asked, filled = page.evaluate(
        """async () => {
            const { fillCurves } = await import('/page/history.js?apart');
            const rows = Array.from({ length: 50 }, (_, i) => (
                { key: `${i}/t`, asked: false, failures: 0 }));
            const [asked, filled, { fetch }] = [[], [], window];
            let now = performance.now();
            performance.now = () => now;
            window.fetch = async (address) => {
                const keys = new URLSearchParams(address.split("?")[1]).getAll("series");
                asked.push(keys.length);
                const ok = !keys.includes("7/t");
                return { ok, status: 503, json: async () => ({}) };
            };
            for (let n = 0; n < 40; n += 1) {
                await fillCurves({ fill: ({ key }) => filled.push(key) }, rows);
                now += 15000;
            }
            window.fetch = fetch;
            delete performance.now;
            return [asked, filled];
        }"""
    )
    assert len(filled) == 49
    assert "7/t" not in filled
    assert asked[:2] == [50, 7]
    assert asked[-1] == 1


@pytest.mark.parametrize(
    ("away_ms", "filled"),
    [
        pytest.param(6_000, [0, 60_000, 120_000, 240_000], id="away"),
        pytest.param(1_000, [0, 240_000], id="slow: only frames were missed"),
    ],
)
def test_what_was_not_seen_is_filled_in(page: Page, away_ms: int, filled: list[int]) -> None:
    times = page.evaluate(
        """async (away) => {
            const { Series } = await import('/page/series.js');
            const series = new Series();
            let now = 0;
            performance.now = () => now;
            for (const ts of [0, 240_000]) {
                series.take({ all: true, readings: [["a", "t", ts, 1]] });
                now += away;
            }
            delete performance.now;
            const row = series.rows.get("a/t");
            series.fill(row, [0, 60_000, 120_000, 240_000].map((ts) => [ts, 1, 1, 1]));
            return row.times;
        }""",
        away_ms,
    )
    assert times == filled


def test_pause_after_a_failure_is_random(page: Page) -> None:
    pauses = page.evaluate(
        """async () => {
            const { pause } = await import('/page/history.js');
            return Array.from({ length: 100 }, pause);
        }"""
    )
    assert 5_000 <= min(pauses) < max(pauses) <= 15_000


@pytest.mark.parametrize("stored", ["5", '"x"', "[null]"])
def test_what_the_browser_remembers_in_another_kind_is_passed_over(
    page: Page, pipeline: Stack, stored: str
) -> None:
    post(pipeline, reading(1))
    for name in ("pins", "chosen", "range"):
        page.evaluate("item => localStorage.setItem(...item)", [name, stored])
    page.reload()
    expect(page.locator("figure canvas")).to_be_visible()
    expect(page.get_by_role("button", name="Live")).to_have_attribute("aria-pressed", "true")


def test_wide_values_keep_their_unit(page: Page, pipeline: Stack) -> None:
    post(pipeline, reading(3, value=-1.2345e-308))
    row = page.locator('.row[title="3/temp"]')
    expect(row.locator(".value")).to_have_text("-1.235e-308°C")
    for value in (-1.2345e-308, -123456789.5):
        post(pipeline, reading(3, value=value))
        expect(row.locator(".wide")).to_contain_text(str(value)[:3])
        for width in (360, 1280):
            page.set_viewport_size({"width": width, "height": 800})
            cell, number = row.locator(".value").bounding_box(), row.locator("b").bounding_box()
            assert cell
            assert number
            assert number["x"] >= cell["x"]
    texts = page.evaluate(
        """async values => values.map((await import('/page/units.js')).formatValue)""",
        [1.7e308, 1e9, 1.01e12, -1.5e-9, 123456, 0],
    )
    assert texts == ["1.7e308", "1e9", "1.01e12", "-1.5e-9", "123,456", "0"]
