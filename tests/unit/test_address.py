"""One sender told from another by its address."""

import pytest

from collector.access.address import address_of, is_loopback


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("192.168.1.7", "192.168.1.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::1", "::1"),
        ("127.0.0.2", "127.0.0.2"),
    ],
)
def test_a_sender_is_an_address_or_a_network_of_ipv6(host: str, address: str) -> None:
    assert address_of((host, 5)) == address_of((host, 6, 0, 0)) == address
    assert is_loopback(address) == (host in ("::1", "127.0.0.2"))


def test_two_addresses_of_a_network_are_one_sender_and_two_networks_are_two() -> None:
    one, same, other = (
        address_of((f"2001:db8::{part}", 1)) for part in ("1", "ffff:1", "1:0:0:0:1")
    )
    assert one == same != other


def test_a_socket_without_a_peer_has_no_address() -> None:
    assert address_of(None) == ""
