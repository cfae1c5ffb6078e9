"""An InfluxDB elsewhere that speaks HTTPS: bridge and auditor look whom they talk to."""

from pathlib import Path

import httpx
import pytest

from tests.builders import reading
from tests.certificates import Authority
from tests.integration.posting import STORED, client, send
from tests.stack import Stack, wait_for

ADDRESS = "127.0.0.1"


def stack(directory: Path, trusted: Path, certificate: tuple[Path, Path]) -> Stack:
    """Return a pipeline whose InfluxDB speaks HTTPS, and an authority that the others trust."""
    stack = Stack(directory)
    chain, key = certificate
    stack.influx.env |= {
        "INFLUXDB_HTTP_HTTPS_ENABLED": "true",
        "INFLUXDB_HTTP_HTTPS_CERTIFICATE": str(chain),
        "INFLUXDB_HTTP_HTTPS_PRIVATE_KEY": str(key),
    }
    for part in (stack.collector, stack.bridge):
        part.env["INFLUX_TLS_CA"] = str(trusted)
    return stack


def test_readings_are_stored_and_read_back_by_https(tmp_path: Path) -> None:
    authority = Authority(tmp_path / "authority")
    parts = stack(tmp_path, authority.path, authority.issue(ADDRESS))
    try:
        parts.influx.start()
        parts.start("broker", "collector", "bridge")
        with client(parts.collector) as http:
            wait_for(
                lambda: send(http, reading("k"), path=STORED).status_code == 201, what="stored"
            )
        assert parts.collector.command("audit").returncode == 0
        with pytest.raises(httpx.HTTPError):  # the control: it speaks HTTPS indeed
            httpx.get(f"http://{ADDRESS}:{parts.influx.port}/ping").raise_for_status()
    finally:
        parts.stop()


@pytest.mark.parametrize(
    ("name", "other", "said"),
    [
        ("iot.test", False, "TLS: its certificate has another name"),
        (ADDRESS, True, "TLS: its certificate is of an unknown authority"),
    ],
)
def test_another_database_gets_no_readings_and_no_password(
    tmp_path: Path, name: str, said: str, *, other: bool
) -> None:
    authority = Authority(tmp_path / "authority")
    trusted = Authority(tmp_path / "other") if other else authority
    parts = stack(tmp_path, trusted.path, authority.issue(name))
    try:
        parts.influx.start()
        parts.start("broker", "collector")
        parts.bridge.start()
        wait_for(lambda: said in parts.bridge.log_text(), what="the bridge's log")
        done = parts.collector.command("audit")
        assert done.returncode == 2
        assert said in done.stderr
    finally:
        parts.stop()


def test_a_file_of_authorities_that_cannot_be_used_stops_the_start(tmp_path: Path) -> None:
    parts = Stack(tmp_path)
    parts.bridge.env["INFLUX_TLS_CA"] = str(tmp_path / "missing")
    parts.bridge.start()
    wait_for(lambda: not parts.bridge.running, what="its end")
    said = f"bridge: INFLUX_TLS_CA='{tmp_path / 'missing'}': {tmp_path / 'missing'}: expected"
    assert said in parts.bridge.log_text()
