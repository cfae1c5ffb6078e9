"""GET /healthz, /readyz, /metrics and /docs."""

import re
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from fastapi.openapi.docs import get_swagger_ui_html

from tests.builders import reading
from tests.integration.posting import client, metrics, problem, send
from tests.stack import Broker, Collector, Stack, wait_for


@pytest.fixture
def lone(tmp_path: Path) -> Iterator[tuple[Broker, httpx.Client]]:
    """A broker, not started yet, and a client of its collector."""
    broker = Broker(tmp_path / "broker")
    collector = Collector(tmp_path, mqtt_port=broker.port, influx_port=1)
    with collector, client(collector) as http:
        yield broker, http
        broker.stop()


def test_healthz_and_readyz_of_a_running_pipeline(http: httpx.Client) -> None:
    assert http.get("/healthz").text == "alive\n"
    wait_for(lambda: http.get("/readyz").status_code == 200)
    assert http.get("/readyz").text == "ready\n"


def test_readyz_follows_the_connection_to_the_broker(
    lone: tuple[Broker, httpx.Client],
) -> None:
    broker, http = lone
    for _ in range(2):
        members = problem(http.get("/readyz"), 503)
        assert "broker" in members["detail"]
        assert http.get("/healthz").status_code == 200
        assert send(http, reading(1)).status_code == 201
        with broker:
            wait_for(lambda: http.get("/readyz").status_code == 200)
        wait_for(lambda: http.get("/readyz").status_code == 503)


def test_metrics_are_prometheus_text_and_add_up(
    pipeline: Stack, http: httpx.Client, sensor: str
) -> None:
    before = metrics(http)
    assert send(http, [reading(sensor, time.time_ns() + i) for i in range(7)]).status_code == 201
    wait_for(lambda: metrics(http)["pending"] == 0)
    after = metrics(http)
    assert after["accepted"] == before["accepted"] + 7
    assert after["stored"] == before["stored"] + 7
    assert after["accepted"] == after["stored"] + after["rejected"] + after["pending"]
    assert after["unbalanced"] == 0
    assert after["outbox_bytes"] > 0
    text = http.get("/metrics")
    assert text.headers["content-type"].startswith("text/plain")
    assert pipeline.collector.running


def test_readings_are_pending_while_the_broker_is_away(lone: tuple[Broker, httpx.Client]) -> None:
    _, http = lone
    assert send(http, [reading(1, i) for i in range(5)]).status_code == 201
    counted = metrics(http)
    assert (counted["accepted"], counted["pending"], counted["stored"]) == (5, 5, 0)


def test_docs_show_the_openapi_document(http: httpx.Client) -> None:
    page = http.get("/docs")
    assert page.status_code == 200
    assert page.headers["content-type"].startswith("text/html")
    assert "/openapi.json" in page.text


def test_docs_load_nothing_from_elsewhere(http: httpx.Client) -> None:
    page = http.get("/docs").text
    assert named_hosts(page) == []
    assert '"validatorUrl": null' in page
    assets = re.findall(r"""(?:src|href)=["']([^"']+)["']""", page)
    assert {asset.rpartition(".")[2] for asset in assets} == {"js", "css", "png"}
    for asset in assets:
        served = http.get(asset)
        assert (served.status_code, bool(served.content)) == (200, True), asset


def named_hosts(page: str) -> list[str]:
    """Return the URLs in a page that name a host."""
    return re.findall(r"""(?:https?:)?//[\w.-]+""", page)


def test_control_a_page_that_loads_from_elsewhere_is_noticed() -> None:
    page = bytes(get_swagger_ui_html(openapi_url="/openapi.json", title="").body).decode()
    assert named_hosts(page)


@pytest.mark.parametrize("path", ["/docs/assets/", "/docs/assets/x.js", "/docs/x"])
def test_404_for_an_asset_that_is_not_there(http: httpx.Client, path: str) -> None:
    assert problem(http.get(path), 404)["detail"].startswith("there is no /docs/")
