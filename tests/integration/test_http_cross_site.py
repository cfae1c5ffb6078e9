"""Requests that web pages have their visitors' browsers send."""

import base64
import hashlib
import re
from collections.abc import Iterator

import httpx
import pytest

from tests.builders import reading_json
from tests.integration.http_connection import Connection
from tests.integration.posting import PROBLEM, client, metrics, problem, send
from tests.stack import Collector

VALID = {"type": "temp", "value": 1, "sensor_id": 1}
SHOP, EVIL = "https://shop.example", "https://evil.example"


@pytest.fixture(scope="module")
def collector(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collector]:
    """A collector, without a broker, that pages of one origin may send to."""
    directory = tmp_path_factory.mktemp("cross-site")
    env = {"ALLOWED_ORIGINS": SHOP}
    with Collector(directory, mqtt_port=1, influx_port=1, env=env) as collector:
        yield collector


@pytest.fixture(scope="module")
def browser(collector: Collector) -> Iterator[httpx.Client]:
    with client(collector) as http:
        yield http


@pytest.mark.parametrize("content_type", [None, "text/plain", "text/plain;charset=UTF-8", "app"])
@pytest.mark.parametrize("headers", [{"Origin": EVIL}, {"Origin": "null"}])
def test_a_page_cannot_post_as_a_form_does_without_a_preflight(
    browser: httpx.Client, content_type: str | None, headers: dict[str, str]
) -> None:
    before = metrics(browser)["accepted"]
    sent = {**headers, **({"Content-Type": content_type} if content_type else {})}
    members = problem(browser.post("/data", content=reading_json(), headers=sent), 403)
    assert repr(headers["Origin"]) in members["detail"]
    assert "ALLOWED_ORIGINS" in members["detail"]
    assert metrics(browser)["accepted"] == before


def test_an_allowed_page_shows_readings_behind_a_proxy_that_has_taken_https_off(
    browser: httpx.Client,
) -> None:
    history = "/history?series=7/temp&range=hour"
    for host, live, past in (("shop.example", 200, 503), ("evil.example", 403, 403)):
        with browser.stream("GET", "/live", headers={"Host": host}) as response:
            assert response.status_code == live
        for path in (history, history.replace("?", ".csv?")):
            problem(browser.get(path, headers={"Host": host}), past)  # no InfluxDB is there


def test_control_the_same_without_an_origin_is_a_device(browser: httpx.Client) -> None:
    assert browser.post("/data", content=reading_json()).status_code == 201


@pytest.mark.parametrize("fetch", ["cross-site", "same-site"])
def test_a_page_is_known_without_an_origin(browser: httpx.Client, fetch: str) -> None:
    problem(send(browser, VALID, headers={"Sec-Fetch-Site": fetch}), 403)
    assert send(browser, VALID, headers={"Sec-Fetch-Site": "same-origin"}).status_code == 201


@pytest.mark.parametrize("path", ["/data", "/data?ack=stored", "/data?token=x"])
@pytest.mark.parametrize("zipped", [True, False])
def test_a_foreign_page_is_refused_on_every_way_through(
    browser: httpx.Client, path: str, zipped: bool
) -> None:
    problem(send(browser, VALID, path=path, zipped=zipped, headers={"Origin": EVIL}), 403)
    problem(send(browser, [VALID], path=path, zipped=zipped, headers={"Origin": EVIL}), 403)


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "PATCH"])
@pytest.mark.parametrize("path", ["/metrics", "/data", "/", "/docs"])
def test_a_foreign_page_has_no_method_with_an_effect(
    browser: httpx.Client, method: str, path: str
) -> None:
    problem(browser.request(method, path, headers={"Origin": EVIL}), 403)


def test_a_foreign_page_is_refused_before_its_body_arrives(collector: Collector) -> None:
    connection = Connection(collector.port)
    fields = f"Host: localhost\r\nOrigin: {EVIL}\r\nContent-Length: 1000000"
    connection.socket.sendall(f"POST /data HTTP/1.1\r\n{fields}\r\n\r\n".encode())
    status, _ = connection.response()
    assert status == 403
    connection.close()


def test_an_allowed_page_may_ask_post_and_read_the_response(browser: httpx.Client) -> None:
    asked = {
        "Origin": SHOP,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,content-type",
    }
    preflight = browser.options("/data", headers=asked)
    assert preflight.status_code == 200
    assert preflight.headers["access-control-allow-origin"] == SHOP
    assert "POST" in preflight.headers["access-control-allow-methods"]
    allowed = preflight.headers["access-control-allow-headers"].lower()
    assert {"authorization", "content-type"} <= {name.strip() for name in allowed.split(",")}
    assert "access-control-allow-credentials" not in preflight.headers
    for body, status in ((VALID, 201), ([VALID], 201), ({}, 422), (b"{", 400)):
        response = send(browser, body, headers={"Origin": SHOP, "Sec-Fetch-Site": "cross-site"})
        assert response.status_code == status
        assert response.headers["access-control-allow-origin"] == SHOP
        assert "origin" in response.headers["vary"].lower()
    for path in ("/nowhere", "/metrics"):
        response = browser.get(path, headers={"Origin": SHOP})
        assert response.headers["access-control-allow-origin"] == SHOP
        assert "origin" in response.headers["vary"].lower()


def test_a_foreign_page_may_get_and_not_read(browser: httpx.Client) -> None:
    for path in ("/metrics", "/healthz", "/docs", "/openapi.json"):
        response = browser.get(path, headers={"Origin": EVIL, "Sec-Fetch-Site": "cross-site"})
        assert response.status_code == 200
        assert "access-control-allow-origin" not in response.headers
        assert response.headers["cross-origin-resource-policy"] == "same-origin"


def test_the_collectors_own_page_posts(browser: httpx.Client, collector: Collector) -> None:
    for host in (f"localhost:{collector.port}", f"127.0.0.1:{collector.port}"):
        headers = {"Host": host, "Origin": f"http://{host}", "Sec-Fetch-Site": "same-origin"}
        assert send(browser, VALID, headers=headers).status_code == 201
    rebound = {"Host": "evil.example", "Origin": "http://evil.example"}
    problem(send(browser, VALID, headers={**rebound, "Sec-Fetch-Site": "same-origin"}), 403)


def test_by_default_no_foreign_page_may_do_anything(http: httpx.Client) -> None:
    problem(send(http, VALID, headers={"Origin": SHOP}), 403)
    asked = {"Origin": SHOP, "Access-Control-Request-Method": "POST"}
    problem(http.options("/data", headers=asked), 403)
    assert "access-control-allow-origin" not in http.get("/metrics", headers=asked).headers
    assert send(http, VALID).status_code == 201


@pytest.mark.parametrize("path", ["/docs", "/metrics", "/healthz", "/openapi.json", "/nowhere"])
def test_browsers_are_told_what_not_to_do_with_a_response(browser: httpx.Client, path: str) -> None:
    headers = browser.get(path).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["referrer-policy"] == "same-origin"
    assert headers["cache-control"] == "no-store"
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert ("script-src" in headers["content-security-policy"]) == (path == "/docs")


def script_hashes(page: str) -> set[str]:
    """Return the hashes of the scripts in a page, as a content security policy names them."""
    scripts = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    digests = [hashlib.sha256(script.encode()).digest() for script in scripts]
    return {f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests}


def test_the_policy_of_docs_allows_its_own_scripts_and_no_others(browser: httpx.Client) -> None:
    page = browser.get("/docs")
    policy = dict(
        directive.strip().split(" ", 1)
        for directive in page.headers["content-security-policy"].split(";")
    )
    hashes = script_hashes(page.text)
    assert hashes
    assert set(policy["script-src"].split()) == {"'self'", *hashes}
    sources = re.findall(r"""(?:src|href)=["']([^"']+)["']""", page.text)
    assert all(source.startswith("/") and source[1] != "/" for source in sources)
    assert not re.search(r"""\son\w+\s*=|javascript:|<[^>]+\sstyle=""", page.text)
    assert policy["connect-src"] == "'self'"


def test_control_a_changed_script_is_noticed(browser: httpx.Client) -> None:
    page = browser.get("/docs")
    changed = page.text.replace("SwaggerUIBundle({", "steal({")
    assert not script_hashes(changed) & set(page.headers["content-security-policy"].split())


def test_assets_may_be_cached_and_nothing_else(browser: httpx.Client) -> None:
    asset = browser.get("/docs/assets/swagger-ui.css")
    assert asset.headers["x-content-type-options"] == "nosniff"
    assert "cache-control" not in asset.headers


def test_a_problem_that_quotes_what_was_sent_is_not_taken_for_a_page(
    browser: httpx.Client,
) -> None:
    response = send(browser, b"<script>alert(1)</script>")
    assert response.status_code == 400
    assert response.headers["content-type"] == PROBLEM
    assert response.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("query", ["token=secret", "access_token=secret", "ack=stored&token=x"])
def test_a_token_in_a_url_is_refused(browser: httpx.Client, query: str) -> None:
    problem(send(browser, VALID, path=f"/data?{query}"), 400)
