"""Which web pages may send readings, by what their browsers say of them."""

import re

import pytest

from collector.http.origins import ForeignHost, ForeignOrigin, Origins, site
from telemetry.settings import SettingError

ALLOWED = Origins.load("https://a.example, http://B.example:8080,capacitor://localhost")
HOST = b"localhost:1337"


def may_send(
    origins: Origins, origin: bytes | None, host: bytes = HOST, fetch: bytes = b""
) -> bool:
    fields = [(b"host", host)]
    fields += [(b"origin", origin)] if origin is not None else []
    fields += [(b"sec-fetch-site", fetch)] if fetch else []
    page = site(fields)
    try:
        if page:
            origins.check(page)
    except ForeignOrigin:
        return False
    return True


@pytest.mark.parametrize(
    "origin",
    [
        b"https://a.example",
        b"HTTPS://A.example",
        b"http://b.example:8080",
        b"capacitor://localhost",
    ],
)
def test_an_allowed_origin_may_send(origin: bytes) -> None:
    assert may_send(ALLOWED, origin)
    assert not may_send(Origins(), origin)


@pytest.mark.parametrize(
    "origin",
    [
        b"",
        b"null",
        b"*",
        b"http://a.example",
        b"https://a.example:8443",
        b"https://a.example.evil.example",
        b"https://evil.example/https://a.example",
        b"https://sub.a.example",
        b"https://a.example, https://a.example",
        b"https://a.example\xff",
        b"http://localhost:3000",
        b"http://localhost",
    ],
)
def test_any_other_origin_may_not(origin: bytes) -> None:
    assert not may_send(ALLOWED, origin)
    assert may_send(Origins.load("*"), origin)


@pytest.mark.parametrize(
    "host", [b"localhost:1337", b"127.0.0.1:1337", b"[::1]:1337", b"192.168.1.7", b"LOCALHOST"]
)
@pytest.mark.parametrize("scheme", [b"http://", b"https://"])
def test_the_collectors_own_page_may_send(scheme: bytes, host: bytes) -> None:
    assert may_send(Origins(), scheme + host, host)
    assert may_send(Origins(), scheme + host.lower(), host, b"same-origin")
    assert not may_send(Origins(), scheme + host, b"127.0.0.2")


@pytest.mark.parametrize(
    "host",
    [b"evil.example:1337", b"localhost.evil.example", b"collector:1337", b"", b"[evil]", b":"],
)
def test_a_page_that_names_its_own_host_may_not_as_the_name_may_have_been_rebound(
    host: bytes,
) -> None:
    assert not may_send(Origins(), b"http://" + host, host)


def test_a_page_that_is_named_as_in_the_certificate_may_by_https() -> None:
    """Nobody else has a certificate for this name."""
    named = Origins.load("", ["iot.test"])
    host = b"iot.test:1337"
    assert may_send(named, b"https://" + host, host)
    assert not may_send(named, b"http://" + host, host)
    assert not may_send(named, b"https://iot.test:8000", host)
    assert not may_send(named, b"https://other.test:1337", b"other.test:1337")


@pytest.mark.parametrize(
    ("fetch", "sends"),
    [(b"cross-site", False), (b"same-site", False), (b"Cross-Site", False)]
    + [(fetch, True) for fetch in (b"", b"none", b"same-origin")],
)
def test_a_page_without_an_origin_is_known_by_sec_fetch_site(fetch: bytes, sends: bool) -> None:
    assert may_send(ALLOWED, None, fetch=fetch) == sends
    assert may_send(ALLOWED, b"https://a.example", fetch=fetch)
    assert not may_send(ALLOWED, b"https://evil.example", fetch=fetch)


def test_only_an_allowed_page_may_read_the_response() -> None:
    for origin, host in ((b"http://evil.example", HOST), (b"http://" + HOST, HOST)):
        page = site([(b"origin", origin), (b"host", host)])
        assert page
        assert ALLOWED.fields(page) == b""
        assert b"allow-origin: *\r\n" in Origins.load("*").fields(page)
    page = site([(b"origin", b"https://a.example")])
    assert page
    fields = ALLOWED.fields(page)
    assert b"access-control-allow-origin: https://a.example\r\nvary: origin\r\n" in fields


def test_the_problem_names_the_origin_shortened_and_the_setting() -> None:
    page = site([(b"origin", b"http://evil.example/" + b"x" * 9000)])
    assert page
    with pytest.raises(ForeignOrigin) as refused:
        Origins().check(page)
    assert "'http://evil.example/xxx" in refused.value.detail
    assert "ALLOWED_ORIGINS" in refused.value.detail
    assert len(refused.value.detail) < 250


def shows(origins: Origins, host: bytes) -> bool:
    try:
        origins.check_host(host)
    except ForeignHost:
        return False
    return True


@pytest.mark.parametrize(
    ("origin", "hosts"),
    [
        ("https://iot.example", [b"iot.example", b"IOT.example", b"iot.example:443"]),
        ("https://iot.example:443", [b"iot.example", b"iot.example:443"]),
        ("https://iot.example:8443", [b"iot.example:8443"]),
        ("http://iot.example", [b"iot.example", b"iot.example:80"]),
        ("http://iot.example:80", [b"iot.example", b"iot.example:80"]),
        ("http://iot.example:1337", [b"iot.example:1337"]),
        ("*", [b"iot.example", b"evil.example:1337"]),
    ],
)
def test_readings_are_shown_under_the_name_of_an_allowed_page(
    origin: str, hosts: list[bytes]
) -> None:
    for host in hosts:
        assert shows(Origins.load(f"http://other.example,{origin}"), host)
        assert not shows(Origins.load("http://other.example"), host)


@pytest.mark.parametrize(
    "host",
    [
        b"iot.example:1337",
        b"iot.example:8443",
        b"iot.example:8080",
        b"iot.example:80:80",
        b"iot.example\xff",
        b"iot.example.evil.example",
        b"sub.iot.example",
        b"x/iot.example",
    ],
)
def test_and_under_no_other(host: bytes) -> None:
    assert not shows(Origins.load("https://iot.example,http://iot.example,app://sub.iot"), host)
    assert not shows(Origins.load("app://iot.example:1337,app://sub.iot.example"), host)


@pytest.mark.parametrize(
    "host", [b"iot.example", b"iot.example:80", b"iot.example:443", b"iot.example:1337"]
)
def test_what_the_refusal_of_a_host_advises_works(host: bytes) -> None:
    with pytest.raises(ForeignHost) as refused:
        Origins().check_host(host)
    advised = re.findall(r"https?://\S+", refused.value.detail)
    assert [origin.partition(":")[0] for origin in advised] == ["http", "https"]
    for origin in advised:
        assert shows(Origins.load(origin), host)


@pytest.mark.parametrize(
    ("text", "allowed"),
    [
        ("", set()),
        ("*", {"*"}),
        ("https://a.example:443,http://a.example:80", {"https://a.example", "http://a.example"}),
        ("http://a.example:443", {"http://a.example:443"}),
        ("http://[::1]:8080", {"http://[::1]:8080"}),
    ],
)
def test_the_setting_is_read(text: str, allowed: set[str]) -> None:
    assert Origins.load(text).allowed == allowed


@pytest.mark.parametrize(
    "origin",
    [
        "a.example",
        "https://",
        "https://a.example/",
        "https://a.example/x",
        "https://a:0",
        "null",
        "https://a\tb",
        "https://ä.example",
        "https://a@b",
        "https://*.example",
        ",",
        "https://a:",
    ],
)
def test_what_is_no_origin_is_a_setting_error_that_names_it(origin: str) -> None:
    with pytest.raises(SettingError) as refused:
        Origins.load(f"https://a.example,{origin}")
    assert refused.value.key == "ALLOWED_ORIGINS"
    assert repr(origin.partition(",")[0]) in str(refused.value)
