"""The dashboards in grafana/dashboards/, and their InfluxDB queries."""

import json
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "grafana" / "dashboards"
PROVISIONING = ROOT / "grafana" / "provisioning"

Dashboard = dict[str, Any]


class Query(NamedTuple):
    """A query: title and refId of a panel's, or "variable" or "annotation" and its name."""

    title: str
    ref: str
    text: str


def load(name: str) -> Dashboard:
    loaded: Dashboard = json.loads((FOLDER / f"{name}.json").read_text())
    return loaded


def queries(dashboard: Dashboard) -> list[Query]:
    """Return every query of every panel, variable and annotation."""
    return [
        *(
            Query(panel["title"], target["refId"], target["query"])
            for panel in dashboard["panels"]
            for target in panel["targets"]
        ),
        *(
            Query("variable", variable["name"], variable["query"])
            for variable in dashboard["templating"]["list"]
        ),
        *(
            Query("annotation", annotation["name"], annotation["target"]["query"])
            for annotation in dashboard["annotations"]["list"]
            if "target" in annotation
        ),
    ]


def query(dashboard: Dashboard, title: str, ref: str = "A") -> str:
    """Return the text of one query; ValueError unless exactly one matches."""
    [text] = [q.text for q in queries(dashboard) if (q.title, q.ref) == (title, ref)]
    return text
