"""How many connections there may be, in all and from one address."""

import asyncio
from collections.abc import Callable

import pytest

from collector.http.connections import Connections
from collector.http.limits import Limits
from collector.http.problem import Problem


class Guest:
    """A connection from an address."""

    held = 0
    deadline = 0.0

    def __init__(self, address: str) -> None:
        self.address = address
        self.is_aborted = False

    def abort(self) -> None:
        self.is_aborted = True

    expire = shutdown = hurry = abort


def with_connections(limits: Limits, scenario: Callable[[Connections], None]) -> None:
    async def run() -> None:
        scenario(Connections(limits))

    asyncio.run(run())


def test_one_address_does_not_get_all_connections_and_others_do() -> None:
    def scenario(connections: Connections) -> None:
        guests = [Guest("192.0.2.1") for _ in range(3)]
        first, second, third = (connections.add(guest) for guest in guests)
        assert first is second is None
        assert third
        assert third.status == 429
        assert third.headers == {"Retry-After": "5"}
        assert "192.0.2.1 (MAX_CONNECTIONS_PER_ADDRESS)" in third.detail
        assert connections.refused["connections"] == 1
        assert connections.add(Guest("192.0.2.2")) is None
        connections.discard(guests[2])
        connections.discard(guests[0])
        assert connections.add(Guest("192.0.2.1")) is None

    with_connections(Limits(10, 2), scenario)


def test_this_machine_gets_all_there_are_and_no_more() -> None:
    def scenario(connections: Connections) -> None:
        for address in ("127.0.0.1", "::1"):
            assert [connections.add(Guest(address)) for _ in range(5)] == [None] * 5
        beyond = connections.add(Guest("127.0.0.1"))
        assert beyond
        assert beyond.status == 503
        assert "MAX_CONNECTIONS)" in beyond.detail

    with_connections(Limits(10, 2), scenario)


def test_unfinished_requests_of_one_address_leave_room_for_those_of_others() -> None:
    def scenario(connections: Connections) -> None:
        first, second, other = (Guest(f"192.0.2.{host}") for host in (1, 1, 2))
        for guest in (first, second, other):
            connections.add(guest)
        connections.hold(first, 300)
        connections.hold(second, 200)
        with pytest.raises(Problem, match=r"from 192\.0\.2\.1 hold 500 bytes") as refused:
            connections.hold(second, 201)
        assert refused.value.status == 429
        connections.hold(second, 0)
        connections.hold(other, 500)
        connections.hold(first, 500)
        with pytest.raises(Problem, match="requests hold 1000 bytes") as refused:
            connections.hold(own := Guest("127.0.0.1"), 1)
        assert refused.value.status == 503
        connections.hold(own, 0)
        connections.hold(first, 0)
        connections.hold(own, 500)
        connections.hold(own, 0)

    with_connections(Limits(10, 10, held_bytes=1000), scenario)


def test_control_this_machine_may_hold_all_there_is() -> None:
    def scenario(connections: Connections) -> None:
        connections.hold(Guest("127.0.0.1"), 1000)

    with_connections(Limits(10, 10, held_bytes=1000), scenario)


def test_refused_connections_are_closed_when_they_are_too_many() -> None:
    def scenario(connections: Connections) -> None:
        guests = [Guest("192.0.2.1") for _ in range(102)]
        for guest in guests:
            connections.add(guest)
        assert [guest.is_aborted for guest in guests] == [False] * 101 + [True]

    with_connections(Limits(10_000, 1), scenario)
