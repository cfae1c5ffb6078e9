"""Checks of a dashboard without Grafana; each function returns the faults it finds."""

import json
from typing import Any

from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models import dashboard as model
from grafana_foundation_sdk.models import units

from tests.grafana.dashboards import Dashboard

BUILT_IN = "-- Grafana --"
KNOWN_UNITS = {value for value in vars(units).values() if isinstance(value, str)}

register_default_plugins()


def wrong_sources(dashboard: Dashboard, provisioned: set[tuple[str, str]]) -> list[str]:
    """Find references to data sources other than these (type, uid)."""
    return [
        f"{path}: no data source {source}"
        for path, source in _datasources(dashboard)
        if source.get("uid") != BUILT_IN
        and (source.get("type"), source.get("uid")) not in provisioned
    ]


def without_source(dashboard: Dashboard) -> list[str]:
    """Find panels, targets and variables without a data source."""
    asking = [
        *dashboard["panels"],
        *(target for panel in dashboard["panels"] for target in panel["targets"]),
        *dashboard["templating"]["list"],
    ]
    return [json.dumps(part)[:80] for part in asking if "datasource" not in part]


def lost_in_model(dashboard: Dashboard) -> list[str]:
    """Find what Grafana's typed model of a dashboard drops or changes."""
    ours = json.loads(json.dumps(dashboard))
    for annotation in ours["annotations"]["list"]:
        annotation.pop("target", None)  # the data source's, and so in no model
    typed = model.Dashboard.from_json(json.loads(json.dumps(ours)))
    return list(_differences(ours, json.loads(json.dumps(typed, cls=JSONEncoder)), ""))


def not_classic(dashboard: Dashboard) -> list[str]:
    """Find what provisioning from files rejects, or what one of Grafana 9 to 13 would migrate."""
    faults = [f"{key} is of the v2 format" for key in ("apiVersion", "spec") if key in dashboard]
    if dashboard.get("schemaVersion") != 38:
        faults.append(f"schemaVersion is {dashboard.get('schemaVersion')}")
    if "id" in dashboard:
        faults.append("id is of one Grafana database")
    if "${DS_" in json.dumps(dashboard):
        faults.append("${DS_...} is replaced by an import, not by provisioning")
    return faults


def confusing_panels(dashboard: Dashboard) -> list[str]:
    """Find missing descriptions, duplicate names, overlapping panels and unknown units."""
    panels = dashboard["panels"]
    faults = [f"{p['title']}: no description" for p in panels if not p.get("description")]
    for key in ("id", "title"):
        values = [panel[key] for panel in panels]
        faults += [
            f"{key} {value} twice" for value in sorted(set(values)) if values.count(value) > 1
        ]
    cells: dict[tuple[int, int], str] = {}
    for panel in panels:
        at = panel["gridPos"]
        for x in range(at["x"], at["x"] + at["w"]):
            for y in range(at["y"], at["y"] + at["h"]):
                if x >= 24 or (x, y) in cells:
                    faults.append(f"{panel['title']} does not fit at {x}, {y}")
                cells[x, y] = panel["title"]
    return faults + [f"unit {unit}" for unit in _units(panels) if not _is_known(unit)]


def _is_known(unit: str) -> bool:
    return unit in KNOWN_UNITS or unit.startswith("suffix:")


def _units(panels: list[dict[str, Any]]) -> list[str]:
    found = []
    for config in (panel["fieldConfig"] for panel in panels):
        found += [config["defaults"]["unit"]] if "unit" in config["defaults"] else []
        found += [
            each["value"]
            for override in config["overrides"]
            for each in override["properties"]
            if each["id"] == "unit"
        ]
    return found


def _datasources(part: object, path: str = "") -> list[tuple[str, dict[str, str]]]:
    if isinstance(part, list):
        return [hit for i, each in enumerate(part) for hit in _datasources(each, f"{path}[{i}]")]
    if not isinstance(part, dict):
        return []
    here = [(path, part["datasource"])] if "datasource" in part else []
    return here + [
        hit
        for key, each in part.items()
        if key != "datasource"
        for hit in _datasources(each, f"{path}/{key}")
    ]


def _differences(ours: object, theirs: object, path: str) -> list[str]:
    """Find what of `ours` is missing or different in `theirs`; `theirs` may add defaults."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        lost = [f"{path}/{key} is lost" for key in ours.keys() - theirs.keys()]
        shared = ours.keys() & theirs.keys()
        return lost + [d for k in shared for d in _differences(ours[k], theirs[k], f"{path}/{k}")]
    if isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        pairs = enumerate(zip(ours, theirs, strict=True))
        return [d for i, (a, b) in pairs for d in _differences(a, b, f"{path}[{i}]")]
    return [] if ours == theirs else [f"{path}: {ours!r} became {theirs!r}"]
