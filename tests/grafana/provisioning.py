"""How Grafana reads its provisioning files, and the environment it needs."""

import re
from collections.abc import Mapping
from typing import Any

import yaml

from tests.grafana.dashboards import PROVISIONING

# The keys in Grafana's documentation of provisioning.
SOURCE_KEYS = {
    "name", "type", "uid", "access", "orgId", "url", "user", "database", "basicAuth",
    "basicAuthUser", "withCredentials", "isDefault", "jsonData", "secureJsonData", "version",
    "editable",
}  # fmt: skip
INFLUX_JSON_KEYS = {"dbName", "httpMode", "timeInterval", "version", "maxSeries"}
PROVIDER_KEYS = {
    "name", "orgId", "type", "folder", "folderUid", "disableDeletion", "allowUiUpdates",
    "updateIntervalSeconds", "options",
}  # fmt: skip
OPTION_KEYS = {"path", "foldersFromFilesStructure"}

FILE = re.compile(r"\$__file\{([^}]+)\}")
BRACED = re.compile(r"\$(?:__\w+)?\{(\w+)\}")
PLAIN = re.compile(r"\$\{(\w+)\}|\$(\w+)")

Environment = Mapping[str, str]


def files(kind: str) -> dict[str, Any]:
    """Return the parsed provisioning files of that kind by name; Grafana reads only *.yaml."""
    return {
        path.name: yaml.safe_load(path.read_text()) for path in (PROVISIONING / kind).glob("*.yaml")
    }


def expand(text: str, environment: Environment, secrets: Environment | None = None) -> str:
    """Return a value as Grafana expands it: first ${NAME}, then $NAME in the result; $$ is $.

    A value that is `$__file{path}` becomes the content of that file, one of `secrets`, as it is.
    """
    if file := FILE.fullmatch(text):
        return (secrets or {})[file[1]]

    def named(found: re.Match[str]) -> str:
        return environment.get(found[1] or found[2], "")

    def once(part: str) -> str:
        return PLAIN.sub(named, BRACED.sub(lambda found: environment.get(found[1], ""), part))

    return "$".join(once(part) for part in text.split("$$"))


def names_used() -> set[str]:
    """Return the environment variables that the provisioning files use."""
    return {
        found[1] or found[2]
        for kind in ("datasources", "dashboards")
        for text in _texts(list(files(kind).values()))
        for found in PLAIN.finditer(FILE.sub("", text.replace("$$", "")))
    }


def unknown_keys(part: Mapping[str, object], known: set[str], where: str) -> list[str]:
    """Find keys that are not documented."""
    return [f"{where}: no key {key}" for key in part.keys() - known]


def missing_settings(environment: Environment) -> list[str]:
    """Find what the environment lacks for Grafana to show the readings without any set-up."""
    faults = [f"{name} is not set" for name in names_used() - environment.keys()]
    faults += [
        f"{name} would connect to the internet: {environment.get(name)}"
        for name, quiet in (
            ("GF_ANALYTICS_REPORTING_ENABLED", "false"),
            ("GF_ANALYTICS_CHECK_FOR_UPDATES", "false"),
            ("GF_ANALYTICS_CHECK_FOR_PLUGIN_UPDATES", "false"),
            ("GF_PLUGINS_PREINSTALL_DISABLED", "true"),
        )
        if environment.get(name) != quiet
    ]
    home = f"{environment.get('DASHBOARDS_PATH')}/readings.json"
    if environment.get("GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH") != home:
        faults.append(f"GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH is not {home}")
    if environment.get("GF_AUTH_ANONYMOUS_ENABLED", "false") != "false":
        faults.append("anonymous visitors are let in also from the network: start.sh decides that")
    return faults


def _texts(part: object) -> list[str]:
    if isinstance(part, dict):
        part = list(part.values())
    if isinstance(part, list):
        return [text for each in part for text in _texts(each)]
    return [part] if isinstance(part, str) else []
