"""Lists of hosts, each with a port of its own or the usual one: db1,db2:8087,[::1]:8086."""

import ipaddress
import re

from telemetry.host_names import is_host

_ADDRESS = re.compile(r"([\w.-]+|\[([^\]]+)\])(?::([0-9]{1,5}))?")
_MAX_PORT = 65535


def addresses(text: str, port: int) -> tuple[str, ...]:
    """Return each as `host:port`, an IPv6 host in brackets, as URLs have it, in the same order.

    An IPv6 address without a port needs no brackets. Raises ValueError saying what was expected.
    """
    return tuple(dict.fromkeys(_address(one.strip(), port) for one in text.split(",")))


def _address(text: str, port: int) -> str:
    found = _ADDRESS.fullmatch(f"[{text}]" if _is_ipv6(text) else text)
    if found and (_is_ipv6(found[2]) if found[2] else is_host(found[1])):
        number = int(found[3] or port)
        if 1 <= number <= _MAX_PORT:
            return f"{found[1]}:{number}"
    raise ValueError(
        "expected a host, or several separated by commas, each with a port if it has another,"
        f" such as db1,db2:8087,[::1]:8086; found {text!r}"
    )


def _is_ipv6(text: str) -> bool:
    try:
        return "%" not in text and bool(ipaddress.IPv6Address(text))
    except ValueError:
        return False
