"""How many connections there may be, in all and from one address."""

import asyncio
from collections.abc import Callable

from collector.http.connections import Connections
from collector.http.limits import Limits


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


def test_refused_connections_are_closed_when_they_are_too_many() -> None:
    def scenario(connections: Connections) -> None:
        guests = [Guest("192.0.2.1") for _ in range(102)]
        for guest in guests:
            connections.add(guest)
        assert [guest.is_aborted for guest in guests] == [False] * 101 + [True]

    with_connections(Limits(10_000, 1), scenario)
