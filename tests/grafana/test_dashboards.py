"""The dashboards fit Grafana's own model and refer only to provisioned data sources."""

from collections.abc import Callable

import pytest
import yaml

from tests.grafana import faults
from tests.grafana.dashboards import FOLDER, PROVISIONING, Dashboard, load, queries

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


def test_links_lead_to_the_dashboards() -> None:
    uids = {load(name)["uid"] for name in NAMES}
    targets = {link["url"] for name in NAMES for link in load(name)["links"]}
    assert targets == {f"/d/{uid}" for uid in uids}


def test_both_variables_default_to_all_and_allow_several_values() -> None:
    for variable in load("readings")["templating"]["list"]:
        assert variable["multi"]
        assert variable["includeAll"]
        assert variable["allValue"] == ".*"  # not an expression of ten thousand names
        assert variable["current"]["value"] == ["$__all"]


def test_every_variable_in_a_query_is_escaped_as_a_regular_expression() -> None:
    for q in queries(load("readings")):
        assert "$sensor" not in q.text
        assert "$type" not in q.text
        if q.title != "variable":
            assert "=~ /^${sensor:regex}$/" in q.text
            assert "=~ /^${type:regex}$/" in q.text


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
