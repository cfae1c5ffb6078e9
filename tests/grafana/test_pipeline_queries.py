"""Every query of the dashboard "Pipeline" against a real InfluxDB."""

from typing import Any

import pytest

from tests.grafana.conftest import Ask, at, present
from tests.grafana.dashboards import load, queries, query
from tests.grafana.statuses import bridge_at, collector_at
from tests.stack import Influx

PIPELINE = load("pipeline")
OUTAGES = ("annotation", "Outages (s)")

# Until 900, which is now.
WRITTEN = [
    collector_at(881, accepted=100, stored=90, pending=8),
    collector_at(883, accepted=120, stored=110, pending=7),
    collector_at(898, accepted=270, stored=240, pending=25),
    bridge_at(882, stored=100, queue=7, failures=0),
    bridge_at(884, stored=200, queue=5, failures=10),
    bridge_at(897, stored=265, queue=3, failures=23),
]


def of(instance: str, seconds: int, **values: float) -> dict[str, Any]:
    return {"instance": instance, "time": at(seconds), **values}


def twice(instance: str, **values: tuple[Any, Any]) -> list[dict[str, Any]]:
    """Return the rows of the last two intervals with anything in them."""
    return [
        of(instance, start, **{name: pair[n] for name, pair in values.items()})
        for n, start in enumerate((880, 890))
    ]


EXPECTED: dict[tuple[str, str], list[dict[str, Any]]] = {
    ("Services", "A"): [
        {**of(instance, start, reports=count), "service": service}
        for service, instance, counts in (("bridge", "bridge", [2, 1]), ("collector", "c1", [2, 1]))
        for start, count in zip(range(300, 900, 15), [0] * 38 + counts, strict=True)
    ],
    ("Books", "A"): [of("c1", 870, difference=0)],
    ("Pending", "A"): [of("c1", 898, pending=25)],
    ("Oldest pending", "A"): [of("c1", 898, oldest_pending_s=5)],
    ("Outbox used", "A"): [of("c1", 870, used=0.27)],
    ("Rejected", "A"): [of("c1", 898, rejected=5)],
    ("Healed", "A"): [of("c1", 898, healed=27)],
    ("Held by the bridge", "A"): [of("bridge", 897, queue=3)],
    ("Connections", "A"): [of("c1", 898, connections=3)],
    ("Collector: accepted and stored", "A"): twice(
        "c1", accepted=(10, 10), stored=(10, pytest.approx(130 / 15))
    ),
    ("Bridge: stored", "A"): twice("bridge", stored=(50, 5)),
    ("Books over time", "A"): twice("c1", lowest=(0, 0), highest=(0, 0)),
    ("Pending over time", "A"): twice("c1", pending=(8, 25)),
    ("Oldest pending over time", "A"): twice("c1", oldest_pending_s=(5, 5)),
    ("Outbox on disk", "A"): twice("c1", outbox_bytes=(12_000, 27_000)),
    ("Collector: sent to the broker", "A"): twice("c1", published=(10, 10), replayed=(1, 13 / 15)),
    ("Collector: refused", "A"): twice("c1", HTTP=(5, 5), MQTT=(1, 1)),
    ("Bridge: writes", "A"): twice("bridge", writes=(5, 6 / 13), failures=(5, 1)),
    ("Delays", "A"): [
        *({**each, "service": "bridge"} for each in twice("bridge", **{"event loop": (4, 4)})),
        *({**each, "service": "collector"} for each in twice("c1", **{"event loop": (2, 2)})),
    ],
    ("Delays", "B"): twice("bridge", **{"write to InfluxDB": (9, 9)}),
    ("Bridge: dead letters", "A"): twice(
        "bridge", rejected=(1, pytest.approx(1 / 13)), unreadable=(0.5, 0)
    ),
    ("Table of services", "A"): [
        {"Service": "bridge", "Instance": "bridge", "Up for": 897, "time": at(897)},
        {"Service": "collector", "Instance": "c1", "Up for": 898, "time": at(898)},
    ],
    ("annotation", "Restarts"): [],
    OUTAGES: [],
}


@pytest.fixture
def statuses(influx: Influx, database: str) -> None:
    influx.write(WRITTEN, db=database)


def test_every_query_has_an_expected_result() -> None:
    assert {(q.title, q.ref) for q in queries(PIPELINE)} == set(EXPECTED)


@pytest.mark.usefixtures("statuses")
@pytest.mark.parametrize(("title", "ref"), EXPECTED)
def test_a_query_returns_what_was_written(ask: Ask, title: str, ref: str) -> None:
    assert present(ask(query(PIPELINE, title, ref))) == EXPECTED[title, ref]


def test_an_empty_database_gives_no_error(ask: Ask) -> None:
    assert not any(ask(q.text) for q in queries(PIPELINE))


@pytest.mark.parametrize(("missing", "shown"), [(1, 1), (-1, -1)])
@pytest.mark.usefixtures("statuses")
def test_books_that_do_not_balance_are_shown(
    influx: Influx, database: str, ask: Ask, missing: int, shown: int
) -> None:
    influx.write(collector_at(899, 310, 257, 48, unaccounted=missing), db=database)
    assert ask(query(PIPELINE, "Books")) == [of("c1", 870, difference=shown)]
    [_, last] = present(ask(query(PIPELINE, "Books over time")))
    assert (last["lowest"], last["highest"]) == (min(shown, 0), max(shown, 0))


def panel(title: str) -> dict[str, Any]:
    [found] = [panel for panel in PIPELINE["panels"] if panel["title"] == title]
    return dict(found)


def test_books_are_red_unless_they_balance() -> None:
    steps = panel("Books")["fieldConfig"]["defaults"]["thresholds"]["steps"]

    def colour(value: int) -> str:
        return str([s["color"] for s in steps if s["value"] is None or s["value"] <= value][-1])

    assert [colour(value) for value in (-1, 0, 1)] == ["red", "green", "red"]


def test_a_service_that_fell_silent_has_no_figures_and_is_named(
    influx: Influx, database: str, ask: Ask
) -> None:
    written = [collector_at(800, accepted=1, stored=1, pending=0), *WRITTEN[3:]]
    influx.write(written, db=database)
    for title in ("Books", "Pending", "Oldest pending", "Outbox used", "Rejected", "Healed"):
        assert ask(query(PIPELINE, title)) == [], title
        defaults = panel(title)["fieldConfig"]["defaults"]
        assert defaults["noValue"] == "unknown"
        assert defaults["thresholds"]["steps"][0] == {"color": "red", "value": None}
    last = {row["instance"]: row["reports"] for row in ask(query(PIPELINE, "Services"))}
    assert last == {"bridge": 1, "c1": 0}


def test_a_steady_rate_is_a_straight_line_and_an_outage_a_gap(
    influx: Influx, database: str, ask: Ask
) -> None:
    reports = [second for second in range(1, 900, 2) if not 300 < second < 420]
    influx.write(
        (collector_at(n, accepted=n * 7, stored=0, pending=n * 7) for n in reports), db=database
    )
    rows = ask(query(PIPELINE, "Collector: accepted and stored"))
    rates = [row["accepted"] for row in rows]
    assert set(rates[:30] + rates[43:90]) == {7}
    assert rates[31:42] == [None] * 11
    assert ask(query(PIPELINE, *OUTAGES)) == [
        {"service": "collector", "instance": "c1", "silent": 122, "time": at(421)}
    ]


@pytest.mark.usefixtures("statuses")
def test_a_restart_gives_no_wrong_rate_and_is_marked(
    influx: Influx, database: str, ask: Ask
) -> None:
    influx.write(bridge_at(899, stored=50, queue=0, failures=0, uptime=1), db=database)
    assert present(ask(query(PIPELINE, "Bridge: stored"))) == EXPECTED["Bridge: stored", "A"]
    assert ask(query(PIPELINE, "annotation", "Restarts")) == [
        {"service": "bridge", "instance": "bridge", "time": at(899)}
    ]


def test_control_a_wrong_field_is_noticed(influx: Influx, database: str, ask: Ask) -> None:
    influx.write([each.replace("pending=", "waiting=") for each in WRITTEN], db=database)
    for title in ("Books", "Pending", "Books over time", "Pending over time"):
        assert present(ask(query(PIPELINE, title))) != EXPECTED[title, "A"], title
