"""Who may see the page, and by which protocols."""

import socket
import ssl
from pathlib import Path

from tests.identities import give
from tests.integration.live_events import TS_MS, Live, Viewer, json_of
from tests.integration.posting import client, problem
from tests.metrics import counted_at


def test_head_and_http_1_0_and_other_methods(live: Live) -> None:
    with Viewer(live.collector.port, "HEAD") as viewer:
        assert (viewer.status, viewer.rest()) == (200, b"")
    with socket.create_connection(("127.0.0.1", live.collector.port), timeout=30) as old:
        old.sendall(b"GET /live HTTP/1.0\r\n\r\n")
        received = b""
        while b"event: pipeline" not in received:
            received += old.recv(65536)
        assert b"chunked" not in received
    with client(live.collector) as http:
        assert problem(http.post("/live"), 405)["detail"].endswith("send GET /live")


def test_a_foreign_page_reads_nothing(live: Live) -> None:
    port = live.collector.port
    refused = counted_at(live.collector.url)["http_refused_origin"]
    for host in ("evil.example", f"localhost.evil.example:{port}"):
        with Viewer(port, Host=host) as viewer:
            assert viewer.status == 403
    for host in (f"127.0.0.1:{port}", f"[::1]:{port}", "LOCALHOST"):
        with Viewer(port, Host=host, Origin="https://evil.example") as viewer:
            assert viewer.status == 200
            assert "access-control-allow-origin" not in viewer.fields
    assert counted_at(live.collector.url)["http_refused_origin"] == refused + 2


def test_once_the_port_is_open_it_takes_a_reader(live: Live, tmp_path: Path) -> None:
    collector = live.another(tmp_path)
    give(tmp_path / "accounts", {"kitchen": ("secret", ["kitchen"])})
    give(tmp_path / "accounts", {"screen": ("reader", [])}, reader=True)
    collector.env["BIND_ADDRESS"] = "0.0.0.0"  # noqa: S104
    with collector, client(collector) as http:
        for path in ("/", "/page/index.html", "/live", "/history", "/history.csv"):
            problem(http.get(path), 401)
            problem(http.get(path, auth=("kitchen", "secret")), 403)
        assert http.get("/", auth=("screen", "reader")).status_code == 200
        with Viewer(collector.port, Authorization="Bearer reader", Host="any.name") as viewer:
            assert viewer.pipeline()["broker"]


def test_it_works_over_tls(live: Live, tmp_path: Path) -> None:
    collector = live.another(tmp_path)
    collector.env |= {"TLS": "127.0.0.1", "TLS_DIR": str(tmp_path / "tls")}
    with collector:
        context = ssl.create_default_context(cafile=tmp_path / "tls" / "ca.crt")

        def wrap(plain: socket.socket) -> ssl.SSLSocket:
            return context.wrap_socket(plain, server_hostname="127.0.0.1")

        with Viewer(collector.port, wrap=wrap) as viewer:
            live.publish("readings/tls/temp", json_of("tls", 5))
            assert viewer.reading("tls/temp") == (TS_MS, 5)
            assert viewer.pipeline()["grafana"] == {"port": 3000, "tls": True}


def test_the_page_and_its_files(live: Live) -> None:
    with client(live.collector) as http:
        page = http.get("/")
        assert page.headers["content-type"].startswith("text/html")
        policy = page.headers["content-security-policy"]
        assert "default-src 'none'; script-src 'self'" in policy
        assert "unsafe" not in policy
        file = http.get("/page/index.html")
        again = http.get("/page/index.html", headers={"If-None-Match": file.headers["etag"]})
        assert (file.status_code, again.status_code) == (200, 304)
        for path in ("/page/", "/page/x.js", "/page/..%2Fapp.py", "/page/%2e%2e/app.py"):
            problem(http.get(path), 404)
