"""The files of TLS: made, trusted by a real client, renewed, left alone, mended."""

import ssl
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from collector.access import certificates
from collector.access.certificates import CertificatesUnusable, ensure
from tests.tls_files import Own, connect

NAMES = ["iot.local", "192.168.1.5"]


def contents(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir()}


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o7777


def ahead(days: float) -> Callable[[], datetime]:
    """Return a clock that is ahead."""
    return lambda: datetime.now(UTC) + timedelta(days=days)


def test_clients_trust_it_under_each_name(tmp_path: Path) -> None:
    ensure(tmp_path, [*NAMES, "*.iot.example", "fd00::5"])
    for name in [*NAMES, "a.iot.example", "fd00::5", "localhost", "127.0.0.1", "::1", "broker"]:
        connect(tmp_path, name)


@pytest.mark.parametrize("name", ["iot.lan", "192.168.1.6", "a.iot.local"])
def test_control_under_another_name_they_refuse_it(tmp_path: Path, name: str) -> None:
    ensure(tmp_path, NAMES)
    with pytest.raises(ssl.SSLCertVerificationError, match=r"mismatch|not valid for"):
        connect(tmp_path, name)


def test_control_those_of_another_authority_refuse_it(tmp_path: Path) -> None:
    ensure(tmp_path / "one", NAMES)
    ensure(tmp_path / "two", NAMES)
    with pytest.raises(ssl.SSLCertVerificationError):
        connect(tmp_path / "one", "iot.local", (tmp_path / "two" / "ca.crt").read_text())


def test_each_file_is_for_those_who_need_it(tmp_path: Path) -> None:
    directory = tmp_path / "tls"
    ensure(directory, NAMES)
    assert mode(directory) == 0o700
    for name, wanted in certificates.MODES.items():
        assert mode(directory / name) == wanted
    assert mode(directory / "ca.key") == 0o600
    assert mode(directory / "server.key") == 0o640


def test_it_stays_as_long_as_it_fits(tmp_path: Path) -> None:
    ensure(tmp_path, NAMES)
    before = contents(tmp_path)
    ensure(tmp_path, NAMES[::-1], ahead(260))
    assert contents(tmp_path) == before


@pytest.mark.parametrize(("names", "days"), [(["new.local"], 0), (NAMES, 270), (NAMES, 3600)])
def test_a_new_one_is_trusted_by_those_who_trust_the_old(
    tmp_path: Path, names: list[str], days: float
) -> None:
    ensure(tmp_path, NAMES)
    before = contents(tmp_path)
    ensure(tmp_path, names, ahead(days))
    after = contents(tmp_path)
    assert after["server.crt"] != before["server.crt"]
    assert after["server.key"] != before["server.key"]
    assert after["ca.crt"] == before["ca.crt"]
    if days < 1:
        connect(tmp_path, names[0], before["ca.crt"].decode())


def test_no_certificate_is_valid_for_longer_than_its_authority(tmp_path: Path) -> None:
    ensure(tmp_path, NAMES)
    ensure(tmp_path, NAMES, ahead(3600))
    found = certificates.load(tmp_path)
    assert found
    (certificate,), (authority,) = found
    assert certificate.not_valid_after_utc == authority.not_valid_after_utc


@pytest.mark.parametrize("days", [-4000, 4000])
def test_what_was_made_with_a_wrong_clock_is_made_anew(tmp_path: Path, days: float) -> None:
    ensure(tmp_path, NAMES, ahead(days))
    with pytest.raises(ssl.SSLCertVerificationError):
        connect(tmp_path, "iot.local")
    before = contents(tmp_path)
    ensure(tmp_path, NAMES)
    connect(tmp_path, "iot.local")
    assert contents(tmp_path)["ca.key"] == before["ca.key"]
    assert contents(tmp_path)["ca.crt"] != before["ca.crt"]


def test_after_a_wrong_clock_the_authority_of_before_is_trusted(tmp_path: Path) -> None:
    ensure(tmp_path, NAMES)
    trusted = (tmp_path / "ca.crt").read_text()
    ensure(tmp_path, NAMES, ahead(4000))
    ensure(tmp_path, NAMES)
    connect(tmp_path, "iot.local", trusted)


@pytest.mark.parametrize("name", ["server.crt", "server.key", "ca.crt"])
def test_a_file_that_is_missing_is_made_and_the_authority_is_the_same(
    tmp_path: Path, name: str
) -> None:
    ensure(tmp_path, NAMES)
    trusted = (tmp_path / "ca.crt").read_text()
    (tmp_path / name).unlink()
    ensure(tmp_path, NAMES)
    connect(tmp_path, "iot.local", trusted)


def test_a_key_of_another_certificate_is_replaced(tmp_path: Path) -> None:
    ensure(tmp_path, NAMES)
    other = Own(tmp_path / "other", "iot.local")
    (tmp_path / "server.key").write_bytes(other.key.read_bytes())
    ensure(tmp_path, NAMES)
    connect(tmp_path, "iot.local")


def test_those_of_ones_own_are_left_alone(tmp_path: Path) -> None:
    Own(tmp_path, "elsewhere.example")
    before = contents(tmp_path)
    ensure(tmp_path, NAMES, ahead(1000))
    assert {name: contents(tmp_path)[name] for name in before} == before


def test_those_of_ones_own_are_left_alone_beside_our_expired_authority(tmp_path: Path) -> None:
    ensure(tmp_path, NAMES, ahead(-4000))
    own = Own(tmp_path / "own", "elsewhere.example")
    for path in (own.cert, own.key):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    ensure(tmp_path, NAMES)
    assert (tmp_path / "server.crt").read_bytes() == own.cert.read_bytes()


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("server.crt", b"", r"server.crt is damaged: expected a certificate \(PEM\); restore it"),
        ("server.crt", b"-----BEGIN CERTIFICATE-----\nMII\n", "server.crt is damaged"),
        ("server.key", b"x", r"server.key is damaged: expected a private key \(PEM\)"),
        ("server.key", None, "server.key is missing: `certificates install`"),
        ("ca.crt", b"x", "ca.crt is damaged"),
    ],
)
def test_ones_own_that_are_damaged_are_named(
    tmp_path: Path, name: str, content: bytes | None, said: str
) -> None:
    Own(tmp_path, "iot.local")
    if content is None:
        (tmp_path / name).unlink()
    else:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(CertificatesUnusable, match=said):
        ensure(tmp_path, NAMES)


def test_a_key_that_is_not_that_of_ones_own_certificate_is_named(tmp_path: Path) -> None:
    Own(tmp_path, "iot.local")
    other = Own(tmp_path / "other", "iot.local")
    (tmp_path / "server.key").write_bytes(other.key.read_bytes())
    with pytest.raises(CertificatesUnusable, match=r"server\.key is not the key of"):
        ensure(tmp_path, NAMES)


def test_a_directory_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(CertificatesUnusable, match="file: "):
        ensure(tmp_path / "file", NAMES)


def test_several_at_once_agree(tmp_path: Path) -> None:
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda _: ensure(tmp_path, NAMES), range(8)))
    connect(tmp_path, "iot.local")
    assert certificates.CERTIFICATE in (found := contents(tmp_path))
    assert not [name for name in found if name.endswith(".new")]


def test_the_key_of_our_authority_goes_with_it(tmp_path: Path) -> None:
    ensure(tmp_path, NAMES)
    own = Own(tmp_path / "own", "iot.local")
    certificates.install(tmp_path, own.server, [own.authority.certificate])
    assert not (tmp_path / "ca.key").exists()
    connect(tmp_path, "iot.local", own.ca.read_text())
    for name in ("server.crt", "server.key"):
        (tmp_path / name).unlink()
    ensure(tmp_path, NAMES)
    connect(tmp_path, "iot.local")
    with pytest.raises(ssl.SSLCertVerificationError):
        connect(tmp_path, "iot.local", own.ca.read_text())
