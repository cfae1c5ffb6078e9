"""Statuses as the page shows them, whoever sent them."""

import json

import pytest

from collector.live.services import MAX_COUNTERS, MAX_SERVICES, Services


@pytest.fixture
def services() -> Services:
    return Services(lambda: 100.0)


def status(state: str = "up", **more: object) -> bytes:
    return json.dumps({"state": state, **more}).encode()


def test_a_status_is_shown_with_its_age() -> None:
    clock = [100.0]
    services = Services(lambda: clock[0])
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


def test_those_heard_of_last_are_known(services: Services) -> None:
    for n in range(MAX_SERVICES + 2):
        services.put([(f"status/x/{n}".encode(), status())])
    services.put([(b"status/x/50", status())])
    names = [row["instance"] for row in services.rows()]
    assert len(names) == MAX_SERVICES
    assert (names[0], names[-1]) == ("50", "2")


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
