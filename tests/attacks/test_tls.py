"""`make run BIND_ADDRESS=0.0.0.0 TLS=…`: nothing that crosses a network is in plain text."""

import contextlib
import socket
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.attacks.client import Client
from tests.attacks.test_make_run import MakeRun
from tests.certificates import Authority
from tests.run.terminal import Terminal
from tests.service import free_port, wait_for

EVERYWHERE = "0.0.0.0"  # noqa: S104
HERE, ELSEWHERE = "127.0.0.1", "127.0.0.2"
MQTTS_PORT = free_port()


class Tls(MakeRun):
    """A pipeline that speaks TLS, with a device and a reader."""

    def __init__(self, terminal: Terminal, ca: Path) -> None:
        super().__init__(terminal)
        self.url = f"https://localhost:{self.ports['COLLECTOR_PORT']}"
        self.ca = ca
        self.ca.write_text(self.command("certificates", "authority"), encoding="utf-8")
        self.secrets["kitchen"] = self.command(
            "devices", "add", "kitchen", "--sensors", "kitchen"
        ).strip()
        self.secrets["reader"] = self.command("devices", "add", "reader", "--reader").strip()
        wait_for(lambda: self.lets_in("reader"), what="the broker to know them")

    def connect(self, name: str = "", password: str | None = None, **options: Any) -> Client:  # noqa: ANN401
        """Connect to the broker by TLS."""
        secret = self.secrets.get(name, "") if password is None else password
        return Client(MQTTS_PORT, name, secret, ca=self.ca, **options)

    def send(self, ca: Path | None = None, name: str = "kitchen") -> httpx.Response:
        return self.post("kitchen", name, verify=ssl.create_default_context(cafile=ca or self.ca))

    def serials(self) -> tuple[int, int]:
        """Return the numbers of the certificates that collector and broker show."""
        return serial(self.ports["COLLECTOR_PORT"], self.ca), serial(MQTTS_PORT, self.ca)


def serial(port: int, ca: Path) -> int:
    """Return the number of a port's certificate, which has to be of an authority."""
    context = ssl.create_default_context(cafile=ca)
    with (
        socket.create_connection((HERE, port), timeout=10) as plain,
        context.wrap_socket(plain, server_hostname="iot.test") as tls,
    ):
        certificate = tls.getpeercert()
    assert certificate
    return int(str(certificate["serialNumber"]), 16)


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tls]:
    settings = {"BIND_ADDRESS": EVERYWHERE, "TLS": "iot.test", "MQTTS_PORT": MQTTS_PORT}
    with Terminal(tmp_path_factory.mktemp("run") / "run", settings) as terminal:
        terminal.wait("Ready in")
        terminal.wait("devices    need a secret")
        terminal.wait(f"TLS        https://iot.test:{terminal.ports['COLLECTOR_PORT']}/data")
        terminal.wait("sensor_id=123")
        yield Tls(terminal, tmp_path_factory.mktemp("ca") / "ca.crt")


def test_who_trusts_the_authority_sends_and_reads(tls: Tls) -> None:
    with tls.connect("reader") as reader, tls.connect("kitchen") as kitchen:
        reader.subscribe("readings/#", "receipts/#")
        assert tls.send().status_code == 201
        reader.wait_message("readings/kitchen/temp")
        kitchen.subscribe("accepted/kitchen")
        kitchen.publish("devices/kitchen/temp", '{"value": 22.5, "ref": 1}')
        assert kitchen.wait_message("accepted/kitchen")
    assert tls.send(name="").status_code == 401


def test_another_authority_is_not_trusted(tls: Tls, tmp_path: Path) -> None:
    other = Authority(tmp_path).path
    with pytest.raises(httpx.ConnectError, match="certificate verify failed"):
        tls.send(other)
    with pytest.raises(ssl.SSLCertVerificationError):
        serial(MQTTS_PORT, other)
    assert serial(MQTTS_PORT, tls.ca)


def test_the_brokers_plain_port_is_this_machines_alone(tls: Tls) -> None:
    """Its other port is the control."""
    with socket.socket() as probe:
        assert probe.connect_ex((ELSEWHERE, tls.ports["MQTT_PORT"])) != 0
    with socket.socket() as probe:
        assert probe.connect_ex((HERE, tls.ports["MQTT_PORT"])) == 0
    with socket.socket() as probe:
        assert probe.connect_ex((ELSEWHERE, MQTTS_PORT)) == 0


@pytest.mark.usefixtures("tls")
def test_plain_text_at_the_brokers_port_is_cut_off() -> None:
    with socket.create_connection((HERE, MQTTS_PORT), timeout=10) as plain:
        plain.sendall(b"\x10\x0c\x00\x04MQTT\x04\x02\x00\x05\x00\x00")
        with contextlib.suppress(ConnectionResetError):
            assert b"\x20\x02" not in plain.recv(100)  # CONNACK


def test_keys_are_their_owners(tls: Tls) -> None:
    for name in ("server.key", "ca.key"):
        assert (tls.run_dir / "tls" / name).stat().st_mode & 0o007 == 0
    assert tls.run_dir.stat().st_mode & 0o077 == 0
    assert (tls.run_dir / "broker" / "certificate").stat().st_mode & 0o077 == 0


def test_certificates_are_replaced_while_readings_arrive(tls: Tls, tmp_path: Path) -> None:
    known = tls.serials()
    authority = Authority(tmp_path)
    chain, key = authority.issue("iot.test", "localhost", HERE)
    with tls.connect("reader") as reader:
        reader.subscribe("readings/kitchen/#")
        tls.command(
            *("certificates", "install", str(chain), str(key), "--authority", str(authority.path))
        )
        tls.ca.write_bytes(authority.path.read_bytes())
        wait_for(lambda: _are_new(tls, known), what="both certificates")
        reader.messages.clear()
        assert tls.send().status_code == 201
        reader.wait_message("readings/kitchen/temp")
        assert reader.losses == 0
    assert tls.command("audit")


def test_a_missing_key_keeps_nobody_in(tls: Tls) -> None:
    """Removed devices are refused all the same; the certificate stays as it was."""
    known, key = tls.serials(), tls.run_dir / "tls" / "server.key"
    tls.secrets["guest"] = tls.command("devices", "add", "guest", "--sensors", "guest").strip()
    wait_for(lambda: tls.lets_in("guest"), what="the broker to know it")
    hidden = key.rename(key.with_suffix(".hidden"))
    try:
        tls.command("devices", "remove", "guest")
        wait_for(lambda: not tls.lets_in("guest"), what="the broker to refuse it")
        assert tls.serials() == known
    finally:
        hidden.rename(key)


def test_another_kind_of_key_restarts_the_broker(tls: Tls, tmp_path: Path) -> None:
    """Mosquitto would show the old certificate to whoever prefers its kind."""
    key, csr, chain = (tmp_path / name for name in ("key", "csr", "chain"))
    authority_key, authority = tmp_path / "ca.key", tmp_path / "ca.crt"
    subject = ["-subj", "/CN=test", "-nodes", "-newkey", "rsa:2048"]
    extension = tmp_path / "extension"
    extension.write_text("subjectAltName=DNS:iot.test,DNS:localhost,IP:127.0.0.1\n")
    new = ["openssl", "req", *subject]
    signed = ["-CA", authority, "-CAkey", authority_key, "-CAcreateserial", "-extfile", extension]
    for command in (
        [*new, "-x509", "-days", "2", "-keyout", authority_key, "-out", authority],
        [*new, "-keyout", key, "-out", csr],
        ["openssl", "x509", "-req", "-days", "1", "-in", csr, *signed, "-out", chain],
    ):
        subprocess.run([*map(str, command)], check=True, capture_output=True)
    known = tls.serials()
    tls.command("certificates", "install", str(chain), str(key), "--authority", str(authority))
    tls.ca.write_bytes(authority.read_bytes())
    wait_for(lambda: _are_new(tls, known), 20, "both certificates")
    wait_for(lambda: tls.send().status_code == 201, what="a reading")


def _are_new(tls: Tls, known: tuple[int, int]) -> bool:
    try:
        return all(a != b for a, b in zip(tls.serials(), known, strict=True))
    except OSError:  # one of them is the old one still, or the broker starts again
        return False
