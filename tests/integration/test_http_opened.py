"""What there is beside POST /data, once others than this machine can reach the collector."""

import base64
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.identities import give
from tests.integration.posting import client, metrics, problem, send
from tests.metrics import counted
from tests.stack import Collector

DEVICE, READER = "kitchen-secret", "prometheus-secret"
VALID = {"type": "temp", "value": 1, "sensor_id": "kitchen"}
PAGES = ["/docs", "/openapi.json", "/docs/assets/swagger-ui.css"]
GUARDED = ["/metrics", *PAGES, "/nowhere", "/data/", "/docs/", "/%6Detrics"]
SHOP = "https://shop.example"


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def basic(name: str, token: str) -> dict[str, str]:
    return {"Authorization": f"Basic {base64.b64encode(f'{name}:{token}'.encode()).decode()}"}


def collector_in(directory: Path, **env: str) -> Collector:
    give(directory / "accounts", {"kitchen": (DEVICE, ["kitchen"])})
    give(directory / "accounts", {"prometheus": (READER, [])}, reader=True)
    return Collector(directory, mqtt_port=1, influx_port=1, env={"ALLOWED_ORIGINS": SHOP, **env})


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[httpx.Client]:
    """A client of a collector that the network can reach, with a device and a reader."""
    collector = collector_in(tmp_path, BIND_ADDRESS="0.0.0.0")  # noqa: S104
    with collector, client(collector) as http:
        yield http


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT"])
def test_nobody_sees_a_page_without_an_identity(opened: httpx.Client, method: str) -> None:
    for path in GUARDED:
        response = opened.request(method, path)
        assert response.status_code == 401, path
        assert response.headers["www-authenticate"] == 'Basic realm="collector", charset="UTF-8"'
    assert "`./pipeline devices add" in problem(opened.get("/docs"), 401)["detail"]


def test_health_is_everybodys(opened: httpx.Client) -> None:
    assert opened.get("/healthz").text == "alive\n"
    assert problem(opened.get("/readyz"), 503)["detail"]
    problem(opened.get("/data"), 405)


@pytest.mark.parametrize("login", [bearer(DEVICE), basic("kitchen", DEVICE), bearer(READER)])
def test_any_identity_sees_the_description(opened: httpx.Client, login: dict[str, str]) -> None:
    for path in PAGES:
        response = opened.get(path, headers=login)
        assert response.status_code == 200
        assert opened.head(path, headers=login).status_code == 200
        assert ("cache-control" in response.headers) == (path != PAGES[-1])
    problem(opened.get("/nowhere", headers=login), 404)
    problem(opened.post("/docs", headers=login), 405)


def test_a_reader_sees_the_counters_and_a_device_does_not(opened: httpx.Client) -> None:
    for login in (bearer(READER), basic("prometheus", READER)):
        assert counted(opened.get("/metrics", headers=login).text)["accepted"] == 0
    members = problem(opened.get("/metrics", headers=bearer(DEVICE)), 403)
    assert "kitchen is not a reader" in members["detail"]
    assert "--reader" in problem(opened.get("/metrics"), 401)["detail"]
    text = opened.get("/metrics", headers=bearer(READER)).text
    assert counted(text)["http_refused_token"] == 2


@pytest.mark.parametrize(
    "login",
    [
        bearer("wrong"),
        basic("prometheus", DEVICE),
        basic("kitchen", "wrong"),
        basic("", DEVICE),
        {"Authorization": DEVICE},
        {"Authorization": f"Basic {DEVICE}"},
        {"Authorization": f"Basic kitchen:{DEVICE}"},
        {"Authorization": f"Digest {DEVICE}"},
    ],
)
def test_what_is_nearly_an_identity_is_none(opened: httpx.Client, login: dict[str, str]) -> None:
    for path in ("/metrics", "/docs"):
        problem(opened.get(path, headers=login), 401)
    problem(send(opened, VALID, headers=login), 401)


@pytest.mark.parametrize("path", ["/metrics", "/docs"])
def test_no_token_is_taken_from_a_url(opened: httpx.Client, path: str) -> None:
    for query in (f"?token={READER}", f"?access_token={READER}"):
        problem(opened.get(path + query), 401)


def test_a_login_does_not_stay_for_the_next_request(opened: httpx.Client) -> None:
    for path in ("/metrics", "/docs"):
        for _ in range(2):
            assert opened.get(path, headers=bearer(READER)).status_code == 200
            problem(opened.get(path), 401)


def test_guessing_is_slowed_and_the_right_secret_passes(opened: httpx.Client) -> None:
    statuses = [
        opened.get("/docs", headers=basic("kitchen", f"guess{n}")).status_code for n in range(30)
    ]
    assert statuses[:10] == [401] * 10
    assert statuses.count(429) >= 15
    refused = opened.get("/metrics", headers={**bearer("x"), "X-Forwarded-For": "192.0.2.7"})
    problem(refused, 429)
    assert int(refused.headers["retry-after"]) >= 1
    problem(send(opened, VALID, headers=bearer("guess")), 429)
    assert opened.get("/docs", headers=basic("kitchen", DEVICE)).status_code == 200
    assert send(opened, VALID, headers=bearer(DEVICE)).status_code == 201


def test_the_page_posts_with_the_password_that_the_browser_adds(opened: httpx.Client) -> None:
    own = f"http://127.0.0.1:{opened.base_url.port}"
    login = basic("kitchen", DEVICE)
    assert send(opened, VALID, headers={"Origin": own, **login}).status_code == 201
    other = {**VALID, "sensor_id": "garage"}
    problem(send(opened, other, headers={"Origin": own, **login}), 403)


def test_no_other_page_posts_with_that_password(opened: httpx.Client) -> None:
    login = basic("kitchen", DEVICE)
    for zipped in (False, True):
        for headers in ({"Origin": SHOP}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}):
            problem(send(opened, VALID, zipped=zipped, headers={**headers, **login}), 403)
    allowed = {"Origin": SHOP, **bearer(DEVICE)}  # the control
    assert send(opened, VALID, headers=allowed).status_code == 201


def test_an_allowed_page_may_ask_whether_it_may_ask(opened: httpx.Client) -> None:
    asked = {
        "Origin": SHOP,
        "Access-Control-Request-Method": "GET",
        "Access-Control-Request-Headers": "authorization",
    }
    assert opened.options("/metrics", headers=asked).status_code == 200
    refused = opened.get("/metrics", headers={"Origin": SHOP})
    problem(refused, 401)
    assert refused.headers["access-control-allow-origin"] == SHOP
    assert "access-control-allow-credentials" not in refused.headers


def test_control_on_this_machine_alone_everybody_sees_all(tmp_path: Path) -> None:
    collector = collector_in(tmp_path)
    with collector, client(collector) as http:
        for path in PAGES:
            assert http.get(path).status_code == 200
        assert metrics(http)["accepted"] == 0
        problem(http.get("/nowhere"), 404)
        problem(send(http, VALID), 401)
