"""Grafana finds the data source and the dashboards, in containers and under `make run`."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from run import parts
from run.configuration import write_grafana_configuration
from run.workspace import Workspace
from tests.grafana.dashboards import FOLDER, PROVISIONING, ROOT
from tests.grafana.provisioning import (
    INFLUX_JSON_KEYS,
    OPTION_KEYS,
    PROVIDER_KEYS,
    SOURCE_KEYS,
    Environment,
    expand,
    files,
    missing_settings,
    names_used,
    unknown_keys,
)

IN_CONTAINER = "/etc/grafana/provisioning"  # the default of the image


def data_source() -> dict[str, Any]:
    [(_, content)] = files("datasources").items()
    [source] = content["datasources"]
    return dict(source)


def provider() -> dict[str, Any]:
    [(_, content)] = files("dashboards").items()
    [only] = content["providers"]
    return dict(only)


def composed() -> dict[str, Any]:
    """Return the Grafana service of docker-compose.yml."""
    content = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    return dict(content["services"]["dashboard"])


def mounts(service: dict[str, Any]) -> dict[str, Path]:
    """Return which path of this repository is mounted at each path of the container."""
    parts = [volume.split(":") for volume in service["volumes"]]
    return {part[1]: (ROOT / part[0]).resolve() for part in parts if part[0].startswith("./")}


def run_here(tmp_path: Path) -> Environment:
    """Return the environment of Grafana under `make run`."""
    environ = {"INFLUX_PORT": "18086", "RUN_DIR": str(tmp_path)}
    return parts.environment(Workspace.from_environment(environ), environ)


def test_the_files_have_only_documented_keys() -> None:
    source, dashboards = data_source(), provider()
    assert files("datasources").popitem()[1].keys() == {"apiVersion", "datasources"}
    assert files("dashboards").popitem()[1].keys() == {"apiVersion", "providers"}
    assert unknown_keys(source, SOURCE_KEYS, "data source") == []
    assert unknown_keys(source["jsonData"], INFLUX_JSON_KEYS, "jsonData") == []
    assert unknown_keys(source["secureJsonData"], {"password"}, "secureJsonData") == []
    assert unknown_keys(dashboards, PROVIDER_KEYS, "provider") == []
    assert unknown_keys(dashboards["options"], OPTION_KEYS, "options") == []


def test_control_an_undocumented_key_is_noticed() -> None:
    assert unknown_keys({**data_source(), "dbname": "iot"}, SOURCE_KEYS, "data source")
    assert unknown_keys({"httpMethod": "POST"}, INFLUX_JSON_KEYS, "jsonData")


def test_there_is_no_file_that_grafana_would_not_read() -> None:
    assert {path.suffix for path in PROVISIONING.rglob("*") if path.is_file()} == {".yaml"}


def test_the_data_source_queries_influxql_through_the_server() -> None:
    source = data_source()
    assert (source["type"], source["access"]) == ("influxdb", "proxy")
    assert source["jsonData"]["httpMode"] == "POST"
    assert "version" not in source["jsonData"]  # absent: InfluxQL
    assert source["isDefault"]


PASSWORD = 'Pa$sw0rd ${HOME} #"\\'


def test_any_password_arrives_unchanged() -> None:
    written = data_source()["secureJsonData"]["password"]
    assert expand(written, {}, {"/secrets/influx-grafana": PASSWORD}) == PASSWORD


def test_control_braces_would_expand_the_password_again() -> None:
    assert expand("${INFLUX_PASSWORD}", {"INFLUX_PASSWORD": PASSWORD, "HOME": "/root"}) != PASSWORD
    assert expand("$$INFLUX_PASSWORD", {"INFLUX_PASSWORD": PASSWORD}) == "$INFLUX_PASSWORD"


def test_in_containers_the_environment_is_complete() -> None:
    environment = composed()["environment"]
    assert missing_settings(environment) == []
    assert expand(data_source()["url"], environment) == "http://db:8086"


def test_in_containers_the_paths_agree() -> None:
    service = composed()
    there = mounts(service)
    environment = service["environment"]
    assert there[environment.get("GF_PATHS_PROVISIONING", IN_CONTAINER)] == PROVISIONING
    assert there[expand(provider()["options"]["path"], environment)] == FOLDER


def test_the_image_has_the_version_these_files_are_for() -> None:
    assert composed()["image"].startswith("grafana/grafana:12.4.")


def test_under_make_run_the_environment_is_complete(tmp_path: Path) -> None:
    environment = run_here(tmp_path)
    assert missing_settings(environment) == []
    assert expand(data_source()["url"], environment) == "http://127.0.0.1:18086"
    assert expand(data_source()["jsonData"]["dbName"], environment) == "iot"


def test_under_make_run_the_paths_agree(tmp_path: Path) -> None:
    environment = run_here(tmp_path)
    write_grafana_configuration(tmp_path)
    copied = Path(environment["GF_PATHS_PROVISIONING"])
    source = yaml.safe_load((copied / "datasources" / "influxdb.yaml").read_text())
    password = source["datasources"][0]["secureJsonData"]["password"]
    assert password == f"$__file{{{tmp_path}/secrets/influx-grafana}}"
    assert {path.name for path in copied.rglob("*.yaml")} == {
        path.name for path in PROVISIONING.rglob("*.yaml")
    }
    assert Path(expand(provider()["options"]["path"], environment)) == FOLDER
    assert Path(environment["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]).is_file()


@pytest.mark.parametrize(
    "name",
    [*sorted(names_used()), "GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"],
)
def test_control_a_missing_setting_is_noticed(name: str) -> None:
    environment = dict(composed()["environment"])
    del environment[name]
    assert missing_settings(environment)


def test_control_anonymous_access_is_noticed() -> None:
    environment = {**composed()["environment"], "GF_AUTH_ANONYMOUS_ENABLED": "true"}
    assert missing_settings(environment)
