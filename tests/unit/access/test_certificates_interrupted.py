"""A change of the certificates that dies between the files: the next one mends it."""

import ssl
from collections.abc import Callable
from pathlib import Path

import pytest

from collector.access import certificates, pem
from collector.access.certificates import CertificatesUnusable, ensure
from tests.tls_files import Own, connect

NAMES = ["iot.local", "192.168.1.5"]


class Killed(BaseException):
    """What a kill is to a test."""


def dies(patch: pytest.MonkeyPatch, number: int, change: Callable[[], None]) -> bool:
    """Kill a change before its step of this number; return whether it came so far."""
    count = 0

    def counted(original: Callable[..., object]) -> Callable[..., object]:
        def step(*arguments: object, **options: object) -> object:
            nonlocal count
            count += 1
            if count == number:
                raise Killed
            return original(*arguments, **options)

        return step

    with patch.context() as patched:
        for name in ("replace", "unlink"):
            patched.setattr(Path, name, counted(getattr(Path, name)))
        try:
            change()
        except Killed:
            return True
    return False


def before(directory: Path, kind: str) -> Path:
    """Return a directory with certificates of this kind."""
    if kind == "ours":
        ensure(directory, NAMES)
    elif kind == "own":
        Own(directory, "iot.local")
    return directory


def kill_all(directory: Path, patch: pytest.MonkeyPatch, kind: str) -> int:
    """Let each change die at each of its steps, and check that the next `ensure` mends it."""
    own = Own(directory / "own", "iot.local")
    changes: dict[str, Callable[[Path], None]] = {
        "ensure": lambda at: ensure(at, NAMES),
        "rename": lambda at: ensure(at, ["new.local"]),
        "install": lambda at: certificates.install(at, own.server, [own.authority.certificate]),
    }
    killed = 0
    for name, change in changes.items():
        for number in range(1, 100):
            at = before(directory / f"{name}-{number}", kind)
            trusted = (at / "ca.crt").read_text() if kind == "ours" else ""
            if not dies(patch, number, lambda: change(at)):  # noqa: B023  it is called at once
                break
            killed += 1
            ensure(at, NAMES)
            connect(at, "iot.local")
            assert not list(at.glob("*.new"))
            if (at / "ca.key").exists():
                key = pem.private_key((at / "ca.key").read_bytes())
                assert pem.fits(key, pem.certificates((at / "ca.crt").read_bytes())[0])
            if kind == "ours" and name != "install":
                connect(at, "iot.local", trusted)
    return killed


@pytest.mark.parametrize("kind", ["none", "ours", "own"])
def test_what_was_interrupted_is_mended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    assert kill_all(tmp_path, monkeypatch, kind) > 8


@pytest.mark.parametrize("kind", ["none", "own"])
def test_control_in_another_order_it_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    backwards = dict(reversed(certificates.MODES.items()))
    monkeypatch.setattr(certificates, "MODES", backwards)
    with pytest.raises((AssertionError, CertificatesUnusable, ssl.SSLError)):
        kill_all(tmp_path, monkeypatch, kind)
