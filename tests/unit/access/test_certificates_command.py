"""The command `certificates`, and the start of a service that finds the files damaged."""

import os
import ssl
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from collector.access import pem
from collector.access.certificates import ensure
from run.configuration import ROOT
from tests.tls_files import Own, connect

NAMES = ("iot.local", "192.168.1.5")


def collector(
    directory: Path, *arguments: object, given: bytes = b"", tls: str = ",".join(NAMES)
) -> subprocess.CompletedProcess[bytes]:
    """Run the collector, or one of its commands, with certificates in a directory."""
    return subprocess.run(
        [sys.executable, "-m", "collector", *map(str, arguments)],
        input=given,
        capture_output=True,
        check=False,
        cwd=ROOT,
        env=os.environ
        | {"TLS": tls, "TLS_DIR": str(directory), "OUTBOX_PATH": str(directory / "outbox.db")},
    )


def install(
    directory: Path, *arguments: object, given: bytes = b"", tls: str = ",".join(NAMES)
) -> subprocess.CompletedProcess[bytes]:
    return collector(directory, "certificates", "install", *arguments, given=given, tls=tls)


def test_it_shows_what_there_is(tmp_path: Path) -> None:
    ensure(tmp_path, NAMES)
    shown = collector(tmp_path, "certificates")
    assert shown.returncode == 0, shown.stderr
    lines = dict(line.split(maxsplit=1) for line in shown.stdout.decode().splitlines())
    assert lines["names"].startswith("iot.local, ")
    assert "192.168.1.5" in lines["names"]
    assert lines["issuer"].startswith("telemetry-pipeline authority ")
    assert lines["authority"].startswith(lines["issuer"])
    assert lines["valid"].endswith(", then renewed by itself")
    assert lines["TLS"] == "iot.local, 192.168.1.5"


@pytest.mark.parametrize(("tls", "said"), [("", b"TLS is not set"), ("a", b"the next start makes")])
def test_it_says_that_there_is_nothing(tmp_path: Path, tls: str, said: bytes) -> None:
    shown = collector(tmp_path, "certificates", tls=tls)
    assert (shown.returncode, shown.stderr) == (0, b"")
    assert said in shown.stdout
    printed = collector(tmp_path, "certificates", "authority", tls=tls)
    assert (printed.returncode, printed.stdout) == (2, b"")
    assert printed.stderr.startswith(b"certificates: there are none in ")


def test_it_prints_what_devices_have_to_trust(tmp_path: Path) -> None:
    ensure(tmp_path, NAMES)
    printed = collector(tmp_path, "certificates", "authority")
    assert printed.returncode == 0, printed.stderr
    assert b"PRIVATE" not in printed.stdout
    connect(tmp_path, "iot.local", printed.stdout.decode())


@pytest.mark.parametrize("is_private_before", [True, False])
def test_it_takes_ones_own(tmp_path: Path, is_private_before: bool) -> None:
    own = Own(tmp_path / "own", *NAMES)
    if is_private_before:
        ensure(tmp_path, NAMES)
    installed = install(tmp_path, own.cert, own.key, "--authority", own.ca)
    assert installed.returncode == 0, installed.stderr
    connect(tmp_path, "iot.local", own.ca.read_text())
    assert (tmp_path / "server.key").stat().st_mode & 0o777 == 0o640
    assert not (tmp_path / "ca.key").exists()
    assert b"renewed by itself" not in collector(tmp_path, "certificates").stdout


def test_it_takes_all_from_the_input(tmp_path: Path) -> None:
    own = Own(tmp_path / "own", *NAMES)
    given = own.key.read_bytes() + own.cert.read_bytes() + own.ca.read_bytes()
    installed = install(tmp_path, "-", "-", given=given)
    assert installed.returncode == 0, installed.stderr
    connect(tmp_path, "192.168.1.5", own.ca.read_text())


def test_it_takes_one_that_signed_itself(tmp_path: Path) -> None:
    made = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    of = ["-subj", "/CN=own", "-addext", "subjectAltName=DNS:iot.local", "-days", "30"]
    files = ["-keyout", str(tmp_path / "key"), "-out", str(tmp_path / "cert")]
    subprocess.run(["openssl", *made, *of, *files], check=True, capture_output=True)
    installed = install(tmp_path, tmp_path / "cert", tmp_path / "key", tls="iot.local")
    assert installed.returncode == 0, installed.stderr


@pytest.mark.parametrize(
    ("tls", "said"),
    [
        ("iot.local,other.local", "clients that expect 'other.local' would refuse it"),
        ("192.168.1.6", "clients that expect '192.168.1.6' would refuse it"),
        ("iot local", "TLS='iot local': "),
    ],
)
def test_it_refuses_one_that_is_for_other_names(tmp_path: Path, tls: str, said: str) -> None:
    own = Own(tmp_path / "own", *NAMES)
    refused = install(tmp_path, own.cert, own.key, "--authority", own.ca, tls=tls)
    assert refused.returncode == 2
    assert refused.stderr.decode().startswith(f"certificates: {said}")


def refusal(directory: Path, *arguments: object) -> str:
    """Return why files are refused; nothing has changed then."""
    ensure(directory, NAMES)
    before = (directory / "server.crt").read_bytes()
    refused = install(directory, *arguments)
    assert (refused.returncode, refused.stdout) == (2, b"")
    assert (directory / "server.crt").read_bytes() == before
    connect(directory, "iot.local")
    return refused.stderr.decode().strip()


def test_it_refuses_one_that_has_expired(tmp_path: Path) -> None:
    own = Own(tmp_path / "own", *NAMES, ago=timedelta(days=398))
    assert "expired at" in refusal(tmp_path, own.cert, own.key, "--authority", own.ca)


def test_it_refuses_a_key_that_does_not_fit(tmp_path: Path) -> None:
    own, other = Own(tmp_path / "own", *NAMES), Own(tmp_path / "other", *NAMES)
    said = refusal(tmp_path, own.cert, other.key, "--authority", own.ca)
    assert said.startswith("certificates: the key is not that of the certificate")


def test_it_refuses_another_authority(tmp_path: Path) -> None:
    own, other = Own(tmp_path / "own", *NAMES), Own(tmp_path / "other", *NAMES)
    said = refusal(tmp_path, own.cert, own.key, "--authority", other.ca)
    assert "clients that expect 'iot.local' would refuse it: " in said
    assert "authority" in said


def test_it_refuses_one_whose_authority_nobody_knows(tmp_path: Path) -> None:
    own = Own(tmp_path / "own", *NAMES)
    said = refusal(tmp_path, own.cert, own.key)
    assert "no authority that is trusted everywhere has issued 'telemetry-pipeline'" in said
    assert pem.common_name(own.authority.certificate) in said


def test_it_refuses_files_that_are_something_else(tmp_path: Path) -> None:
    own = Own(tmp_path / "own", *NAMES)
    assert refusal(tmp_path, own.key, own.key).endswith("expected a certificate (PEM)")
    assert refusal(tmp_path, own.cert, own.cert).endswith("expected a private key (PEM)")
    assert refusal(tmp_path, tmp_path / "no", own.key).endswith("no: No such file or directory")
    own.encrypt()
    assert refusal(tmp_path, own.cert, own.key).endswith("a private key without a password")


def test_damaged_files_end_a_start(tmp_path: Path) -> None:
    ensure(tmp_path, NAMES)
    (tmp_path / "server.crt").write_bytes(b"")
    ended = collector(tmp_path)
    assert ended.returncode == 1
    assert f"collector: {tmp_path / 'server.crt'} is damaged" in ended.stderr.decode()


@pytest.mark.parametrize(("tls", "made"), [("iot.local", True), ("", False)])
def test_setup_makes_them(tmp_path: Path, tls: str, made: bool) -> None:
    as_if_root = "import os, sys; os.chown = lambda *_: None; from collector import commands"
    script = f"{as_if_root}; sys.exit(commands.main(['setup', {str(tmp_path / 'secrets')!r}]))"
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        check=False,
        cwd=ROOT,
        env=os.environ | {"TLS": tls, "OUTBOX_PATH": str(tmp_path / "outbox.db")},
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "secrets" / "broker-bridge").exists()
    assert (tmp_path / "tls").exists() == made
    if made:
        connect(tmp_path / "tls", "iot.local")


def test_control_a_handshake_tells_a_wrong_name(tmp_path: Path) -> None:
    Own(tmp_path, "iot.local")
    with pytest.raises(ssl.SSLCertVerificationError):
        connect(tmp_path, "other.local")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("", "clients that expect 'other.local' would refuse it: "),
        ("server.key", "No such file"),
        ("ca.crt", "ca.crt: expected a file with certificates: No such file"),
    ],
)
def test_it_says_why_clients_would_refuse_what_there_is(
    tmp_path: Path, name: str, said: str
) -> None:
    ensure(tmp_path, NAMES)
    if name:
        (tmp_path / name).unlink()
    shown = collector(tmp_path, "certificates", tls="iot.local,other.local")
    assert (shown.returncode, shown.stderr) == (1, b"")
    assert said in shown.stdout.decode().splitlines()[-1]
