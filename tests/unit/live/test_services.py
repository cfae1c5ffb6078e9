"""Statuses as the page shows them, whoever sent them."""

import json

import pytest

from collector.live.services import (
    FORGOTTEN_S,
    MAX_COUNTERS,
    MAX_OFFLINE,
    MAX_SERVICES,
    Services,
)


@pytest.fixture
def clock() -> list[float]:
    return [100.0]


@pytest.fixture
def services(clock: list[float]) -> Services:
    return Services(lambda: clock[0])


def status(state: str = "up", **more: object) -> bytes:
    return json.dumps({"state": state, **more}).encode()


def names(services: Services) -> list[str]:
    return [row["instance"] for row in services.rows()]


def flood(services: Services, state: str = "up", count: int = 3 * MAX_SERVICES) -> None:
    """Report that many services, in periods of 50."""
    topics = [f"status/x/{n}".encode() for n in range(count)]
    for n in range(0, count, 50):
        services.put([(topic, status(state)) for topic in topics[n : n + 50]])


def test_a_status_is_shown_with_its_age(services: Services, clock: list[float]) -> None:
    services.put([(b"status/bridge/b", status("waiting", reason="why", counters={"queue": 3}))])
    clock[0] = 102.5
    assert services.rows() == [
        {
            "service": "bridge",
            "instance": "b",
            "state": "waiting",
            "reason": "why",
            "age_s": 2.5,
            "counters": {"queue": 3},
        }
    ]


def test_those_heard_of_last_come_first(services: Services) -> None:
    for name in (b"1", b"2", b"1"):
        services.put([(b"status/x/" + name, status())])
    assert names(services) == ["1", "2"]


@pytest.mark.parametrize("state", ["up", "offline"])
def test_a_flood_drives_out_none_that_reports(
    services: Services, clock: list[float], state: str
) -> None:
    for _ in range(5):
        services.put([(b"status/bridge/b", status("storing"))])
        flood(services, state)
        clock[0] += 2
    assert "b" in names(services)
    assert len(names(services)) == MAX_SERVICES


def test_a_known_service_is_heard_in_a_period_full_of_others(services: Services) -> None:
    services.put([(b"status/bridge/b", status("waiting"))])
    others = [(f"status/x/{n}".encode(), status()) for n in range(1000)]
    services.put([(b"status/bridge/b", status("storing")), *others])
    assert {"b": "storing"}.items() <= {r["instance"]: r["state"] for r in services.rows()}.items()


def test_a_new_one_takes_the_place_of_one_that_is_offline_or_else_silent(
    services: Services, clock: list[float]
) -> None:
    flood(services, "up", MAX_SERVICES - 1)
    services.put([(b"status/x/off", status("offline"))])
    services.put([(b"status/x/new", status())])
    assert "new" in names(services)
    assert "off" not in names(services)
    services.put([(b"status/x/refused", status())])
    assert "refused" not in names(services)
    clock[0] += 11
    services.put([(b"status/x/newer", status())])
    assert "newer" in names(services)
    assert "0" not in names(services)


def test_what_is_silent_for_long_is_forgotten_and_offline_ones_beyond_some(
    services: Services, clock: list[float]
) -> None:
    flood(services, "offline", MAX_OFFLINE + 3)
    services.put([(b"status/x/silent", status())])
    clock[0] += FORGOTTEN_S
    services.put([])
    assert len(names(services)) == MAX_OFFLINE + 4
    clock[0] += 1
    services.put([])
    assert len(names(services)) == MAX_OFFLINE
    assert "silent" not in names(services)
    assert "2" not in names(services)


def test_a_cleared_status_goes(services: Services) -> None:
    services.put([(b"status/x/1", status()), (b"status/x/1", b"")])
    assert services.rows() == []


@pytest.mark.parametrize("payload", [b"x", b"[]", b"[" * 100_000, b'{"state": 1}', b"\xff"])
def test_what_is_no_status_changes_nothing(services: Services, payload: bytes) -> None:
    services.put([(b"status/x/1", status())])
    services.put([(b"status/x/1", payload), (b"status/x/\x1b", status()), (b"status/x", status())])
    assert [row["state"] for row in services.rows()] == ["up"]


def test_a_huge_status_is_cut(services: Services) -> None:
    counters = {f"c{n}": n for n in range(1000)} | {"big": 2**70}
    services.put([(b"status/x/1", status("s" * 999, reason="\x1b" * 999, counters=counters))])
    (row,) = services.rows()
    assert len(row["counters"]) == MAX_COUNTERS
    assert len(json.dumps(row)) < 5000
