"""The names and addresses under which a machine is reached, also as a certificate holds them."""

import ipaddress
import re
from contextlib import suppress

_MAX_CHARACTERS = 253  # of a name in the DNS
_MAX_NAMES = 100
_LABEL = r"(?!-)[a-z0-9-]{1,63}(?<!-)"
_NAME = re.compile(rf"(?:{_LABEL}\.)*{_LABEL}")
# Fewer labels behind the star match nothing: to clients, *.local is a whole top-level domain.
_WILDCARD = re.compile(rf"\*\.(?:{_LABEL}\.)+{_LABEL}")
_LOOKED_UP = re.compile(rb"[A-Za-z0-9_.-]+")
_SWITCHES = {"on", "off", "yes", "no", "true", "false"}


def is_host(text: str) -> bool:
    """Return whether a text is an address, or a name that can be looked up."""
    with suppress(ValueError):
        return bool(ipaddress.ip_address(text))
    try:
        looked_up = text.encode("idna")  # no label is empty, or longer than 63
    except UnicodeError:
        return False
    return len(looked_up) <= _MAX_CHARACTERS and bool(_LOOKED_UP.fullmatch(looked_up))


def host_names(text: str) -> tuple[str, ...]:
    """Return the names in a text, where commas separate them, in lower case; "" has none.

    They are host names, of which any but the first may begin with `*.`, IPv4 and IPv6 addresses.
    Raises ValueError saying what was expected.
    """
    given = [one.strip() for one in text.split(",")] if text.strip() else []
    names: dict[str, None] = {}
    for one in given:
        try:
            names[_checked(one, may_be_wildcard=bool(names))] = None
        except ValueError as fault:
            raise ValueError(
                "expected a list of names and addresses of this machine, separated by commas, such"
                f" as iot.local,192.168.1.5; {one!r} {fault}"
            ) from None
    if len(names) > _MAX_NAMES:
        raise ValueError(f"expected a list of at most {_MAX_NAMES} names, found {len(names)}")
    return tuple(names)


def _checked(name: str, *, may_be_wildcard: bool) -> str:
    """Return a name as certificates have it; ValueError saying what is wrong with it."""
    if not name:
        raise ValueError("is empty")
    if len(name) > _MAX_CHARACTERS:
        raise ValueError(f"is longer than {_MAX_CHARACTERS} characters")
    if (address := _address(name)) is not None:
        return address
    name = name.lower()
    if name in _SWITCHES:
        raise ValueError("is no name: TLS is on with names, and off without")
    if _WILDCARD.fullmatch(name):
        if not may_be_wildcard:
            raise ValueError("cannot be the first, which is what the services expect")
        return name
    if not _NAME.fullmatch(name):
        raise ValueError(_fault(name))
    if name.rpartition(".")[2].isdecimal():
        raise ValueError("is neither a name nor an address")
    return name


def _address(text: str) -> str | None:
    """Return an address in its usual form; ValueError for one that nobody can reach."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    if address.is_unspecified or address.is_multicast or "%" in text:
        raise ValueError("is no address under which a machine is reached")
    return str(address)


def _fault(name: str) -> str:
    if "://" in name:
        return "is a URL"
    if "*" in name:
        return "has a * elsewhere than before a domain, as in *.iot.example"
    if not name.isascii():
        return "has letters that names on the network write as xn--…"
    return "is neither a name nor an address"
