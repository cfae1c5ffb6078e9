"""Every query of the dashboard "Pipeline" against a real InfluxDB."""

from typing import Any

import pytest

from tests.grafana.conftest import Ask, at, line
from tests.grafana.dashboards import load, queries, query
from tests.stack import Influx

PIPELINE = load("pipeline")


def collector(seconds: float, **counters: int) -> str:
    return _status("collector", "c1", seconds, counters)


def bridge(seconds: float, **counters: int) -> str:
    return _status("bridge", "bridge", seconds, counters)


def _status(service: str, instance: str, seconds: float, counters: dict[str, int]) -> str:
    fields = ",".join(f"{name}={number}i" for name, number in counters.items())
    return line("pipeline", {"service": service, "instance": instance}, fields, seconds)


def collector_at(seconds: float, accepted: int, stored: int, pending: int) -> str:
    return collector(
        seconds,
        accepted=accepted,
        stored=stored,
        rejected=accepted - stored - pending,
        pending=pending,
        published=accepted,
        replayed=stored // 10,
        outbox_bytes=accepted * 100,
    )


def bridge_at(seconds: float, stored: int, queue: int, failures: int) -> str:
    return bridge(
        seconds,
        stored=stored,
        rejected=stored // 50,
        unreadable=stored // 100,
        writes=stored // 10,
        write_failures=failures,
        queue=queue,
    )


WRITTEN = [
    collector_at(1, accepted=100, stored=90, pending=8),
    collector_at(3, accepted=200, stored=150, pending=48),
    collector_at(8, accepted=300, stored=250, pending=47),
    bridge_at(2, stored=100, queue=7, failures=0),
    bridge_at(7, stored=200, queue=3, failures=10),
]


def of(instance: str, seconds: int, **values: float) -> dict[str, Any]:
    return {"instance": instance, "time": at(seconds), **values}


EXPECTED: dict[tuple[str, str], list[dict[str, Any]]] = {
    ("Books", "A"): [of("c1", 0, difference=0)],
    ("Pending", "A"): [of("c1", 8, pending=47)],
    ("Rejected", "A"): [of("c1", 8, rejected=3)],
    ("Held by the bridge", "A"): [of("bridge", 7, queue=3)],
    ("Collector: accepted and stored", "A"): [of("c1", 5, accepted=20, stored=20)],
    ("Bridge: stored", "A"): [of("bridge", 5, stored=20)],
    ("Books over time", "A"): [
        of("c1", 0, lowest=0, highest=0),
        of("c1", 5, lowest=0, highest=0),
    ],
    ("Pending over time", "A"): [of("c1", 0, pending=48), of("c1", 5, pending=47)],
    ("Outbox on disk", "A"): [of("c1", 0, bytes=20_000), of("c1", 5, bytes=30_000)],
    ("Collector: sent to the broker", "A"): [of("c1", 5, published=20, replayed=2)],
    ("Bridge: writes", "A"): [of("bridge", 5, writes=2, write_failures=2)],
    ("Bridge: dead letters", "A"): [of("bridge", 5, rejected=0.4, unreadable=0.2)],
    ("Services", "A"): [
        {"service": "bridge", **of("bridge", 7, stored=200)},
        {"service": "collector", **of("c1", 8, stored=250)},
    ],
}


def test_every_query_has_an_expected_result() -> None:
    assert {(q.title, q.ref) for q in queries(PIPELINE)} == set(EXPECTED)


@pytest.mark.parametrize(("title", "ref"), EXPECTED)
def test_a_query_returns_what_was_written(
    influx: Influx, database: str, ask: Ask, title: str, ref: str
) -> None:
    influx.write(WRITTEN, db=database)
    assert ask(query(PIPELINE, title, ref)) == EXPECTED[title, ref]


@pytest.mark.parametrize(("missing", "shown"), [(1, 1), (-1, -1)])
def test_books_that_do_not_balance_are_shown(
    influx: Influx, database: str, ask: Ask, missing: int, shown: int
) -> None:
    written = [*WRITTEN, collector(9, accepted=310 + missing, stored=257, rejected=3, pending=50)]
    influx.write(written, db=database)
    assert ask(query(PIPELINE, "Books")) == [of("c1", 0, difference=shown)]
    [_, last] = ask(query(PIPELINE, "Books over time"))
    assert (last["lowest"], last["highest"]) == (min(shown, 0), max(shown, 0))


def test_books_are_red_unless_they_balance() -> None:
    [books] = [panel for panel in PIPELINE["panels"] if panel["title"] == "Books"]
    steps = books["fieldConfig"]["defaults"]["thresholds"]["steps"]

    def colour(value: int) -> str:
        return str([s["color"] for s in steps if s["value"] is None or s["value"] <= value][-1])

    assert [colour(value) for value in (-1, 0, 1)] == ["red", "green", "red"]


def test_a_restarted_counter_gives_no_rate_instead_of_a_wrong_one(
    influx: Influx, database: str, ask: Ask
) -> None:
    influx.write([*WRITTEN, bridge_at(12, stored=50, queue=0, failures=0)], db=database)
    assert ask(query(PIPELINE, "Bridge: stored")) == EXPECTED["Bridge: stored", "A"]


def test_control_a_wrong_field_is_noticed(influx: Influx, database: str, ask: Ask) -> None:
    influx.write([each.replace("pending=", "waiting=") for each in WRITTEN], db=database)
    for title in ("Books", "Pending", "Books over time", "Pending over time"):
        assert ask(query(PIPELINE, title)) != EXPECTED[title, "A"], title
