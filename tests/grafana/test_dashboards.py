"""The dashboards fit Grafana's own model and refer only to provisioned data sources."""

import re
from collections.abc import Callable

import pytest
import yaml

from tests.grafana import faults
from tests.grafana.dashboards import FOLDER, PROVISIONING, Dashboard, load, queries, query

NAMES = sorted(path.stem for path in FOLDER.glob("*.json"))


def provisioned() -> set[tuple[str, str]]:
    """Return type and uid of each provisioned data source."""
    return {
        (source["type"], source["uid"])
        for path in (PROVISIONING / "datasources").glob("*.yaml")
        for source in yaml.safe_load(path.read_text())["datasources"]
    }


def all_faults(dashboard: Dashboard) -> list[str]:
    return [
        *faults.not_classic(dashboard),
        *faults.lost_in_model(dashboard),
        *faults.wrong_sources(dashboard, provisioned()),
        *faults.without_source(dashboard),
        *faults.confusing_panels(dashboard),
    ]


def test_there_are_two_dashboards() -> None:
    assert NAMES == ["pipeline", "readings"]


@pytest.mark.parametrize("name", NAMES)
def test_a_dashboard_has_no_faults(name: str) -> None:
    assert all_faults(load(name)) == []


@pytest.mark.parametrize("name", NAMES)
def test_a_dashboard_shows_the_last_15_minutes_and_refreshes(name: str) -> None:
    dashboard = load(name)
    assert dashboard["refresh"] == "5s"
    assert dashboard["time"] == {"from": "now-15m", "to": "now"}


@pytest.mark.parametrize("name", NAMES)
def test_the_dashboards_are_linked_by_their_tag(name: str) -> None:
    dashboard = load(name)
    [link] = dashboard["links"]
    assert (link["type"], link["tags"]) == ("dashboards", dashboard["tags"])


def test_a_click_on_a_sensor_shows_it_alone() -> None:
    [table] = [panel for panel in load("readings")["panels"] if panel["type"] == "table"]
    [link] = [
        link
        for override in table["fieldConfig"]["overrides"]
        for entry in override["properties"]
        if entry["id"] == "links"
        for link in entry["value"]
    ]
    assert link["url"].startswith(f"/d/{load('readings')['uid']}?")
    assert "var-sensor=${__data.fields.Sensor:percentencode}" in link["url"]


def test_what_is_chosen_defaults_to_all_and_may_be_several_values() -> None:
    for variable in load("readings")["templating"]["list"]:
        if variable["name"] != "policy":
            assert variable["multi"]
            assert variable["includeAll"]
            assert variable["current"]["value"] == ["$__all"]
        if variable["hide"] == 0:
            assert variable["allValue"] == ".*"  # not an expression of ten thousand names


def test_a_sensor_that_was_typed_in_stays() -> None:
    refresh = {v["name"]: v["refresh"] for v in load("readings")["templating"]["list"]}
    # 1: on loading only; 2: whenever the range moves, which is at every refresh. Those that depend
    # on one that is refreshed are refreshed too, and forget what is not among their values.
    assert refresh == {"policy": 2, "type": 1, "sensor": 1, "drawn": 2, "shown": 2}
    for name in ("type", "sensor"):
        assert "policy" not in query(load("readings"), "variable", name)


def test_every_variable_in_a_query_is_escaped_as_a_regular_expression() -> None:
    for q in queries(load("readings")):
        assert not re.search(r"\$(sensor|shown|type|drawn)|\{(sensor|shown|type|drawn)\}", q.text)
        if q.title not in ("variable", "annotation"):
            assert re.search(r"=~ /\^\$\{(sensor|shown):regex\}\$/", q.text)
            assert re.search(r"=~ /\^\$\{(type|drawn):regex\}\$/", q.text)


def wrong_uid(dashboard: Dashboard) -> None:
    dashboard["panels"][0]["targets"][0]["datasource"]["uid"] = "influxdb-other"


def variable_with_a_wrong_uid(dashboard: Dashboard) -> None:
    dashboard["templating"]["list"][0]["datasource"]["uid"] = "influxdb-other"


def source_left_out(dashboard: Dashboard) -> None:
    del dashboard["panels"][1]["targets"][0]["datasource"]


def source_of_an_import(dashboard: Dashboard) -> None:
    dashboard["panels"][0]["datasource"]["uid"] = "${DS_INFLUXDB}"


def misspelt_key(dashboard: Dashboard) -> None:
    dashboard["panels"][0]["descripton"] = dashboard["panels"][0]["description"]


def misspelt_option(dashboard: Dashboard) -> None:
    dashboard["panels"][0]["options"]["txetMode"] = "value"


def format_of_version_2(dashboard: Dashboard) -> None:
    dashboard["apiVersion"] = "dashboard.grafana.app/v2"


def unknown_unit(dashboard: Dashboard) -> None:
    dashboard["panels"][0]["fieldConfig"]["defaults"]["unit"] = "celcius"


def overlapping(dashboard: Dashboard) -> None:
    dashboard["panels"][1]["gridPos"]["x"] -= 1


def no_description(dashboard: Dashboard) -> None:
    dashboard["panels"][0]["description"] = ""


@pytest.mark.parametrize(
    "break_it",
    [
        wrong_uid,
        variable_with_a_wrong_uid,
        source_left_out,
        source_of_an_import,
        misspelt_key,
        misspelt_option,
        format_of_version_2,
        unknown_unit,
        overlapping,
        no_description,
    ],
)
def test_control_a_broken_dashboard_is_noticed(break_it: Callable[[Dashboard], None]) -> None:
    dashboard = load("readings")
    break_it(dashboard)
    assert all_faults(dashboard)
