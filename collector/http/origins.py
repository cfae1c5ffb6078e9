"""Requests that web pages send: which pages may, and what their browsers are told."""

import ipaddress
import re
from collections.abc import Collection
from http import HTTPStatus
from typing import NamedTuple, Self

from collector.http.media import Headers
from collector.http.problem import Problem
from telemetry.settings import SettingError

ANY_ORIGIN = "*"
_KEY = "ALLOWED_ORIGINS"
_ORIGIN = re.compile(r"([a-z][a-z0-9+.-]*)://([a-z0-9._-]+|\[[0-9a-f:.]+\])(:[1-9][0-9]{0,4})?")
_DEFAULT_PORTS = {"http": ":80", "https": ":443"}  # which browsers leave out
_MAX_SHOWN = 100


class Site(NamedTuple):
    """The page that sent a request: its `Origin` in small letters, and the `Host` it asked."""

    origin: str | None
    host: str


def site(headers: Headers) -> Site | None:
    """Return the page that sent a request; None if no page did, or none of another site."""
    fields = dict(headers)
    host = fields.get(b"host", b"").decode("latin-1").lower()
    if (origin := fields.get(b"origin")) is not None:
        return Site(origin.decode("latin-1").lower(), host)
    # What a page has a browser send without an Origin: some do for forms.
    foreign = fields.get(b"sec-fetch-site", b"").lower() in (b"cross-site", b"same-site")
    return Site(None, host) if foreign else None


class ForeignOrigin(Problem):
    """A web page of somebody else has its visitor's browser send this."""

    def __init__(self, origin: str | None) -> None:
        page = "a page of another site" if origin is None else f"origin {origin[:_MAX_SHOWN]!r}"
        detail = f"{page} may not send anything here: it is not in {_KEY}; nothing was stored"
        super().__init__(HTTPStatus.FORBIDDEN, detail)


class ForeignHost(Problem):
    """A page may have let its own name lead here, to read what is not its own (DNS rebinding)."""

    def __init__(self, host: str) -> None:
        detail = (
            f"readings are not shown under the name {host[:_MAX_SHOWN]!r}, which may be anybody's:"
            f" use localhost or an address, or put its origin into {_KEY}:"
            f" {' or '.join(_origins(host[:_MAX_SHOWN]))}"
        )
        super().__init__(HTTPStatus.FORBIDDEN, detail)


class ForeignPassword(Problem):
    """A page of another site, though an allowed one, sends its visitor's password."""

    def __init__(self) -> None:
        detail = "a page of another site needs a token of its own: Authorization: Bearer <token>"
        super().__init__(HTTPStatus.FORBIDDEN, f"{detail}; nothing was stored")


class Origins:
    """The origins whose pages may send readings and read the responses."""

    def __init__(self, allowed: frozenset[str] = frozenset(), names: Collection[str] = ()) -> None:
        """Allow origins, and as the collector's own page each of the names in its certificate."""
        self.allowed = allowed
        """Each as browsers write it, or ANY_ORIGIN."""
        self._names = names

    @classmethod
    def load(cls, text: str, names: Collection[str] = ()) -> Self:
        """Read ALLOWED_ORIGINS: origins separated by commas; raises SettingError naming one."""
        allowed = (_checked(part.strip(), text) for part in text.split(",") if text)
        return cls(frozenset(allowed), names)

    def check(self, site: Site) -> None:
        """Raise ForeignOrigin unless the page may send requests that change something."""
        if not self._allows(site) and not self._is_own(site):
            raise ForeignOrigin(site.origin)

    def check_host(self, host: bytes) -> None:
        """Raise ForeignHost for a host that may be anybody's name; programs may leave it out."""
        name = host.decode("latin-1").lower()
        is_known = not name or _is_address(name) or _name(name) in self._names
        if not is_known and self.allowed.isdisjoint((ANY_ORIGIN, *_origins(name))):
            raise ForeignHost(name)

    @staticmethod
    def check_password(site: Site, authorization: bytes) -> None:
        """Raise ForeignPassword for one that a browser has added by itself to a foreign request.

        A token only the page can have added, which then knows it.
        """
        if authorization[:5].lower() == b"basic" and not _is_same(site):
            raise ForeignPassword

    def fields(self, site: Site) -> bytes:
        """Return the header fields, each with its line end, that let a page read a response."""
        if not self._allows(site):
            return b""
        origin = ANY_ORIGIN if ANY_ORIGIN in self.allowed else site.origin
        return (
            f"access-control-allow-origin: {origin}\r\nvary: origin\r\n"
            "access-control-expose-headers: retry-after\r\n"
        ).encode()

    def _is_own(self, site: Site) -> bool:
        """Return whether the page is the collector's own, /docs.

        A page whose host is any other name may be anybody's, who has let that name lead here only
        now (DNS rebinding); nobody can do that to an address, nor to a name in a certificate.
        """
        is_certified = site.origin == f"https://{site.host}" and _name(site.host) in self._names
        return is_certified or (_is_same(site) and _is_address(site.host))

    def _allows(self, site: Site) -> bool:
        return site.origin in self.allowed or ANY_ORIGIN in self.allowed


def _is_same(site: Site) -> bool:
    return site.origin in _origins(site.host)


def _origins(host: str) -> list[str]:
    """Return the origins that pages of a `Host` may have: a proxy may have taken HTTPS off."""
    return [f"{scheme}://{host.removesuffix(port)}" for scheme, port in _DEFAULT_PORTS.items()]


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(_name(host))
    except ValueError:
        return _name(host) == "localhost"
    return True


def _name(host: str) -> str:
    """Return a host without its port."""
    return host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]


def _checked(origin: str, text: str) -> str:
    if origin == ANY_ORIGIN:
        return origin
    parts = _ORIGIN.fullmatch(origin.lower())
    if parts is None:
        expected = (
            f"{origin!r} is not an origin; expected scheme://host or scheme://host:port, without a"
            f" path and in ASCII, several separated by commas, or {ANY_ORIGIN} for any"
        )
        raise SettingError(_KEY, text, expected)
    scheme, host, port = parts.groups(default="")
    return f"{scheme}://{host}" + ("" if port == _DEFAULT_PORTS.get(scheme) else port)
