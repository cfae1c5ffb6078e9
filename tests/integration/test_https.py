"""HTTPS: the same promise, for whoever trusts the authority; new certificates at any time."""

import shutil
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.builders import reading
from tests.certificates import Authority
from tests.integration.posting import client, problem, send
from tests.metrics import counted_at
from tests.service import free_port
from tests.stack import Collector, wait_for

ADDRESS = "127.0.0.1"


def put(directory: Path, certificate: tuple[Path, Path]) -> None:
    """Replace a collector's files, the key first, as a command would."""
    directory.mkdir(exist_ok=True)
    chain, key = certificate
    for source, name in ((key, "server.key"), (chain, "server.crt")):
        shutil.copy(source, directory / "new")
        (directory / "new").replace(directory / name)


class Https:
    """A collector that speaks HTTPS, without broker and database."""

    def __init__(self, directory: Path, certificate: tuple[Path, Path] | None = None) -> None:
        self.tls = directory / "tls"
        self.authority = Authority(directory / "authority")
        put(self.tls, certificate or self.authority.issue(ADDRESS, "localhost"))
        env = {"TLS": ADDRESS, "TLS_DIR": str(self.tls)}
        self.collector = Collector(
            directory / "collector", mqtt_port=free_port(), influx_port=free_port(), env=env
        )
        self.url = self.collector.url.replace("http://", "https://")

    def client(self, authority: Authority | None = None, **options: Any) -> httpx.Client:  # noqa: ANN401
        context = ssl.create_default_context(cafile=(authority or self.authority).path)
        return client(self.collector, base_url=self.url, verify=context, **options)

    def serial(self) -> int:
        """Return the number of the certificate that a new connection gets."""
        with self.client() as http, http.stream("GET", "/healthz") as response:
            stream = response.extensions["network_stream"]
            found = stream.get_extra_info("ssl_object").getpeercert()["serialNumber"]
        return int(found, 16)


@pytest.fixture(scope="module")
def https(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Https]:
    https = Https(tmp_path_factory.mktemp("https"))
    with https.collector:
        yield https


def test_readings_and_pages_over_one_port(https: Https, sensor: str) -> None:
    with https.client() as http:
        for number in range(20):
            assert send(http, reading(sensor, value=number)).status_code == 201
        assert send(http, [reading(sensor)] * 1000, zipped=True).status_code == 201
        assert http.get("/healthz").text == "alive\n"
        assert "openapi" in http.get("/openapi.json").json()
    # This machine may speak plain text still: nobody else can listen there.
    assert httpx.get(f"{https.collector.url}/healthz").text == "alive\n"


def test_a_refusal_before_the_body_is_read_is_read(https: Https) -> None:
    with https.client() as http:
        problem(send(http, b"[" * (9 << 20)), 413)
        assert send(http, reading(7)).status_code == 201


def test_new_certificates_are_taken_up_while_readings_arrive(https: Https, sensor: str) -> None:
    stop = threading.Event()
    statuses: list[int] = []
    troubles: list[Exception] = []

    def post(*, anew: bool) -> None:
        try:
            http = https.client()
            while not stop.is_set():
                if anew:
                    http.close()
                    http = https.client()
                statuses.append(send(http, reading(sensor)).status_code)
            http.close()
        except Exception as error:  # noqa: BLE001  whatever it is, the test fails
            troubles.append(error)

    before = pending(https)
    threads = [threading.Thread(target=post, kwargs={"anew": anew}) for anew in (False, True)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(3):
            known = https.serial()
            put(https.tls, https.authority.issue(ADDRESS, "localhost"))
            wait_for(lambda: https.serial() != known, what="the new certificate")  # noqa: B023
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert not troubles
    assert set(statuses) == {201}
    assert pending(https) - before == len(statuses) > 20


def pending(https: Https) -> int:
    """Return how many readings the collector has accepted and not delivered."""
    return counted_at(https.collector.url)["pending"]


def test_a_pair_that_does_not_fit_leaves_the_last_one(https: Https) -> None:
    known = https.serial()
    (chain, _), (_, key) = https.authority.issue(ADDRESS), https.authority.issue(ADDRESS)
    put(https.tls, (chain, key))
    said = "the certificate stays as it was; expected server.crt and server.key in"
    wait_for(lambda: said in https.collector.log_text(), what="a warning")
    assert https.serial() == known
    put(https.tls, https.authority.issue(ADDRESS, "localhost"))
    wait_for(lambda: https.serial() != known, what="the next certificate")
    assert https.collector.log_text().count(said) == 1


def test_each_fault_is_refused(https: Https, tmp_path: Path) -> None:
    with pytest.raises(httpx.ConnectError, match="certificate verify failed: self-signed"):
        https.client(Authority(tmp_path)).get("/healthz")
    put(https.tls, https.authority.issue("iot.test"))
    with pytest.raises(httpx.ConnectError, match="IP address mismatch"):
        wait_for(lambda: https.client().get("/healthz").status_code != 200, what="a refusal")
    put(https.tls, https.authority.issue(ADDRESS, "localhost", expired=True))
    with pytest.raises(httpx.ConnectError, match="certificate has expired"):
        wait_for(lambda: _serves(https), what="a refusal")
    put(https.tls, https.authority.issue(ADDRESS, "localhost"))
    wait_for(lambda: _serves(https, expired=False), what="the control")


def _serves(https: Https, *, expired: bool = True) -> bool:
    """Return whether there is an answer; of the errors, only what is said of time is raised."""
    try:
        return https.client().get("/healthz").status_code == 200 and not expired
    except httpx.ConnectError as error:
        if "expired" in str(error) and expired:
            raise
        return False


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion")
def test_old_versions_are_refused_and_logged(https: Https) -> None:
    context = ssl.create_default_context(cafile=https.authority.path)
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.maximum_version = ssl.TLSVersion.TLSv1_1
    said = "TLS handshakes failed: 127.0.0.1: UNSUPPORTED_PROTOCOL"

    def refused_and_logged() -> bool:
        with pytest.raises(httpx.ConnectError):
            httpx.get(f"{https.url}/healthz", verify=context)
        return said in https.collector.log_text()

    # Only one failure in a second is logged, and another test's may have been first.
    wait_for(refused_and_logged, what="the log")


def test_without_a_certificate_it_does_not_start(tmp_path: Path) -> None:
    https = Https(tmp_path)
    (https.tls / "server.key").unlink()
    done = https.collector.command()
    assert done.returncode == 1
    assert done.stderr.startswith(f"collector: {https.tls / 'server.key'} is missing: ")
