"""Evaluates alert rules as Grafana does: InfluxQL queries, reduce and threshold expressions."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from tests.grafana.provisioning import files

Rule = dict[str, Any]
Labels = tuple[tuple[str, str], ...]
Rows = list[dict[str, Any]]
Ask = Callable[[str], Rows]
"""Runs a query; AssertionError if InfluxDB refuses it, OSError without an answer."""

SECONDS = {"s": 1, "m": 60}
_OPEN = re.compile(r"time > now\(\) - \w+")
_TEST: dict[str, Callable[..., bool]] = {
    "gt": lambda value, limit: value > limit,
    "lt": lambda value, limit: value < limit,
    "outside_range": lambda value, low, high: value < low or value > high,
}


def rules() -> dict[str, Rule]:
    """Return the provisioned rules by uid, each with the interval of its group."""
    [content] = files("alerting").values()
    return {
        rule["uid"]: {**rule, "interval": group["interval"], "folder": group["folder"]}
        for group in content["groups"]
        for rule in group["rules"]
    }


def seconds(duration: str) -> int:
    return int(duration[:-1]) * SECONDS[duration[-1]]


def query(rule: Rule) -> str:
    return str(rule["data"][0]["model"]["query"])


def firing(rule: Rule, ask: Ask, now_s: int) -> set[Labels]:
    """Return the labels of the alerts that fire at `now_s`, which is a time in seconds.

    They have been true at each evaluation since `for`. What was written later is not seen.
    """
    held, interval = seconds(rule["for"]), seconds(rule["interval"])
    moments = range(now_s - held, now_s + 1, interval)
    return set.intersection(*(_alerting(rule, ask, moment) for moment in moments))


def _alerting(rule: Rule, ask: Ask, now_s: int) -> set[Labels]:
    results: dict[str, Mapping[Labels, list[float]]] = {}
    for part in rule["data"]:
        model = part["model"]
        if part["datasourceUid"] != "__expr__":
            text = _OPEN.sub(r"\g<0> AND time <= now()", model["query"])
            try:
                rows = ask(text.replace("now()", f"{now_s}s"))
            except (AssertionError, OSError):
                return _without_a_value(rule["execErrState"])
            results[part["refId"]] = _series(rows)
        elif model["type"] == "reduce":
            assert model["reducer"] == "last"
            given = results[model["expression"]]
            results[part["refId"]] = {labels: values[-1:] for labels, values in given.items()}
        else:
            assert model["type"] == "threshold"
            [condition] = model["conditions"]
            test, params = _TEST[condition["evaluator"]["type"]], condition["evaluator"]["params"]
            results[part["refId"]] = {
                labels: [float(test(value, *params))]
                for labels, [value] in results[model["expression"]].items()
            }
    found = results[rule["condition"]]
    if not found:
        return _without_a_value(rule["noDataState"])
    return {labels for labels, [true] in found.items() if true}


def _without_a_value(state: str) -> set[Labels]:
    return {()} if state == "Alerting" else set()


def _series(rows: Rows) -> dict[Labels, list[float]]:
    """Return the values by tags; the value is the only number beside the time."""
    found: dict[Labels, list[float]] = {}
    for row in rows:
        labels = tuple(sorted((key, text) for key, text in row.items() if isinstance(text, str)))
        [value] = [v for key, v in row.items() if key != "time" and not isinstance(v, str)]
        found.setdefault(labels, []).extend([] if value is None else [value])
    return {labels: values for labels, values in found.items() if values}
