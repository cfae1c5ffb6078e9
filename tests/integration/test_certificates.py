"""Certificates as a client of the collector sees them: made at the start, and replaced."""

import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.stack import Collector, Stack, wait_for
from tests.tls_files import Own


@pytest.fixture(scope="module")
def collector(pipeline: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collector]:
    """A collector with TLS, and nothing in the directory of its certificates."""
    collector = Collector(
        tmp_path_factory.mktemp("collector"),
        mqtt_port=pipeline.broker.port,
        influx_port=pipeline.influx.port,
        env={"TLS": "iot.local,192.168.1.5"},
    )
    with collector:
        yield collector


def trusts(collector: Collector, name: str, authority: str) -> bool:
    """Return whether a client takes the collector's certificate."""
    context = ssl.create_default_context(cadata=authority)
    try:
        with (
            socket.create_connection(("127.0.0.1", collector.port), 10) as connection,
            context.wrap_socket(connection, server_hostname=name),
        ):
            return True
    except ssl.SSLCertVerificationError:
        return False


def test_the_first_start_makes_them_and_ones_own_replace_them_while_it_runs(
    collector: Collector, tmp_path: Path
) -> None:
    printed = collector.command("certificates", "authority")
    assert printed.returncode == 0, printed.stderr
    ours = printed.stdout
    assert trusts(collector, "iot.local", ours)
    assert trusts(collector, "192.168.1.5", ours)
    assert not trusts(collector, "iot.lan", ours)
    own = Own(tmp_path, "iot.local", "192.168.1.5")
    assert not trusts(collector, "iot.local", own.ca.read_text())

    arguments = (str(own.cert), str(own.key), "--authority", str(own.ca))
    installed = collector.command("certificates", "install", *arguments)
    assert installed.returncode == 0, installed.stderr

    wait_for(lambda: trusts(collector, "iot.local", own.ca.read_text()), what="the new certificate")
    assert not trusts(collector, "iot.local", ours)
    assert collector.command("certificates", "authority").stdout == own.ca.read_text()


def test_other_names_need_a_restart_and_no_new_trust(collector: Collector) -> None:
    directory = collector.outbox.with_name("tls")
    for name in ("server.crt", "server.key"):
        (directory / name).unlink()
    collector.stop()
    collector.start()
    collector.wait_ready()
    trusted = collector.command("certificates", "authority").stdout
    assert trusts(collector, "iot.local", trusted)
    collector.stop()
    collector.env["TLS"] = "new.local"
    collector.start()
    collector.wait_ready()
    assert trusts(collector, "new.local", trusted)
    assert not trusts(collector, "iot.local", trusted)
