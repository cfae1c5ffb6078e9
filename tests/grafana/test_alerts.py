"""Every alert rule on data that makes it true, and on data that does not, in a real InfluxDB."""

import copy
from collections.abc import Callable, Iterable
from typing import Any

import pytest

from tests.grafana import alerts
from tests.grafana.conftest import START, reading_line
from tests.grafana.provisioning import files
from tests.grafana.statuses import bridge, collector
from tests.stack import Influx

RULES = alerts.rules()
EVERY_S = 20
FAULT, REPAIR, END = 2 * 3600, 4 * 3600, 7 * 3600
"""When the fault begins, when it is repaired, and when the data end."""

Counters = dict[str, int]


def sound(_second: int) -> Counters:
    return {
        "unbalanced": 0, "oldest_pending_s": 0, "rejected": 3, "discarded": 3, "healed": 7,
        "outbox_bytes": 79, "outbox_max_bytes": 100, "http_refused": 5, "mqtt_refused": 1,
    }  # fmt: skip


def collectors(fault: Callable[[int], Counters]) -> Iterable[str]:
    """A sound collector, and one with these counters during the fault."""
    for second in range(0, END, EVERY_S):
        yield collector(second, "sound", **sound(second))
        wrong = fault(second - FAULT) if FAULT <= second < REPAIR else {}
        yield collector(second, "c1", **{**sound(second), **wrong})


def bridges(silent: bool = False) -> Iterable[str]:
    for second in range(0, END, EVERY_S):
        if not silent or not FAULT <= second < REPAIR:
            yield bridge(second, stored=second)


def sensors() -> Iterable[str]:
    """One that falls silent, one that does not, and one that sends only once an hour."""
    for second in range(0, END, 60):
        if not FAULT <= second < REPAIR:
            yield reading_line("c1", "temp", 20, second)
        yield reading_line("steady", "temp", 20, second)
    for second in range(0, END, 3600):
        yield reading_line("hourly", "temp", 20, second + second % 7 * 60)


C1 = (("instance", "c1"),)
CASES: dict[str, tuple[Iterable[str], alerts.Labels, int]] = {
    # What is written, the alert, and after how many seconds of the fault it fires at the latest.
    "iot-sensor-silent": (sensors(), (("sensor_id", "c1"),), 75 * 60),
    "iot-nobody-stores": (bridges(silent=True), (), 150),
    "iot-backlog": (collectors(lambda age: {"oldest_pending_s": age}), C1, 330),
    "iot-books": (collectors(lambda _: {"unbalanced": -1}), C1, 90),
    "iot-rejected": (collectors(lambda _: {"rejected": 4}), C1, 90),
    "iot-healed": (collectors(lambda age: {"healed": 7 + age // 60}), C1, 90),
    "iot-refused": (collectors(lambda age: {"http_refused": 5 + age // 60}), C1, 420),
    "iot-outbox": (collectors(lambda _: {"outbox_bytes": 81}), C1, 90),
}
STILL_TRUE_S = {"iot-healed": 3600, "iot-refused": 300}
"""How long after the repair a rule that looks back still holds."""


@pytest.fixture
def ask(influx: Influx, database: str) -> alerts.Ask:
    return lambda text: influx.query(text, db=database, epoch="ms")


def test_every_rule_has_a_case() -> None:
    assert set(CASES) == set(RULES)


@pytest.mark.parametrize("uid", CASES)
def test_a_rule_fires_during_the_fault_and_recovers(
    influx: Influx, database: str, ask: alerts.Ask, uid: str
) -> None:
    lines, alert, within_s = CASES[uid]
    influx.write(lines, db=database)

    def firing(second: int) -> set[alerts.Labels]:
        return alerts.firing(RULES[uid], ask, START + second)

    assert firing(FAULT - 60) == set()
    if RULES[uid]["for"] != "0s":
        assert firing(FAULT + alerts.seconds(RULES[uid]["for"]) - 15) == set()
    assert firing(FAULT + within_s) == {alert}
    assert firing(REPAIR - 5) == {alert}
    assert firing(REPAIR + STILL_TRUE_S.get(uid, 0) + 75) == set()


def test_books_count_on_either_side(influx: Influx, database: str, ask: alerts.Ask) -> None:
    influx.write(collectors(lambda _: {"unbalanced": 1}), db=database)
    assert alerts.firing(RULES["iot-books"], ask, START + FAULT + 90) == {C1}


def test_a_bridge_that_still_stores_is_enough(
    influx: Influx, database: str, ask: alerts.Ask
) -> None:
    influx.write(bridges(silent=True), db=database)
    influx.write((bridge(n, "second", stored=n) for n in range(0, END, EVERY_S)), db=database)
    assert alerts.firing(RULES["iot-nobody-stores"], ask, START + FAULT + 150) == set()


def test_a_sensor_is_forgotten_after_a_day(influx: Influx, database: str, ask: alerts.Ask) -> None:
    influx.write(reading_line("gone", "temp", 1, 0), db=database)
    rule = RULES["iot-sensor-silent"]
    assert alerts.firing(rule, ask, START + 23 * 3600)
    assert alerts.firing(rule, ask, START + 24 * 3600 + 60) == set()


def without_answers(_text: str) -> alerts.Rows:
    raise ConnectionRefusedError


@pytest.mark.parametrize("database_is", ["empty", "down"])
def test_without_data_only_the_rule_about_that_fires(ask: alerts.Ask, database_is: str) -> None:
    asked = ask if database_is == "empty" else without_answers
    firing = {uid for uid, rule in RULES.items() if alerts.firing(rule, asked, START)}
    assert firing == {"iot-nobody-stores"}


def changed(uid: str, change: Callable[[dict[str, Any]], None]) -> alerts.Rule:
    rule = copy.deepcopy(RULES[uid])
    change(rule)
    return rule


def shrug(rule: alerts.Rule) -> None:
    rule["noDataState"] = "OK"


def test_a_bridge_that_fell_silent_is_a_value_and_not_missing_data(
    influx: Influx, database: str, ask: alerts.Ask
) -> None:
    # Without data Grafana fires at once, and in several instances.
    influx.write(bridges(silent=True), db=database)
    rule = changed("iot-nobody-stores", shrug)
    assert alerts.firing(rule, ask, START + FAULT + 150) == {()}


def test_control_another_threshold_field_or_state_is_noticed(
    influx: Influx, database: str, ask: alerts.Ask
) -> None:
    influx.write(collectors(lambda _: {"outbox_bytes": 81}), db=database)

    def higher(rule: alerts.Rule) -> None:
        rule["data"][2]["model"]["conditions"][0]["evaluator"]["params"] = [90]

    def misspelt(rule: alerts.Rule) -> None:
        rule["data"][0]["model"]["query"] = alerts.query(rule).replace("bytes", "byte")

    now = START + FAULT + 90
    assert not alerts.firing(changed("iot-outbox", higher), ask, now)
    assert not alerts.firing(changed("iot-outbox", misspelt), ask, now)
    assert not alerts.firing(changed("iot-nobody-stores", shrug), ask, now)


RULE_KEYS = {
    "uid", "title", "condition", "data", "dashboardUid", "panelId", "noDataState", "execErrState",
    "for", "annotations", "labels", "isPaused",
}  # fmt: skip


def test_the_file_is_as_grafana_documents_it() -> None:
    [content] = files("alerting").values()
    assert content["apiVersion"] == 1
    assert {group["folder"] for group in content["groups"]} == {
        provider["folder"] for provider in files("dashboards")["iot.yaml"]["providers"]
    }
    for group in content["groups"]:
        assert alerts.seconds(group["interval"]) % 10 == 0  # Grafana's shortest interval
        for rule in group["rules"]:
            assert rule.keys() <= RULE_KEYS
            assert alerts.seconds(rule["for"]) % alerts.seconds(group["interval"]) == 0
            assert {part["datasourceUid"] for part in rule["data"]} == {"influxdb-iot", "__expr__"}
            assert rule["annotations"].keys() == {"summary", "description"}
            assert rule["labels"]["severity"] in ("info", "warning", "critical")
