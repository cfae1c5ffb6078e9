"""grafana/start.sh: Grafana's password for `admin`, and who is let in without one."""

import os
import subprocess
from pathlib import Path

import pytest

from run.configuration import ROOT

_SERVER = (
    'echo "serves ${GF_SERVER_PROTOCOL:-} ${GF_SERVER_CERT_FILE:-} ${GF_SERVER_CERT_KEY:-}'
    ' ${GF_AUTH_ANONYMOUS_ENABLED:-}" | tr -s " "'
)
START = ROOT / "grafana" / "start.sh"


def start(
    directory: Path, password: str, bind_address: str = "127.0.0.1", tls: str = ""
) -> list[str]:
    """Start it with a Grafana that only notes what it is told; return the notes, the last first."""
    (directory / "secrets").mkdir(exist_ok=True)
    (directory / "secrets" / "grafana-admin").write_text(f"{password}\n")
    notes, program = directory / "notes", directory / "grafana"
    program.write_text(f'#!/bin/sh\nread -r given; echo "$* $given" >>{notes}\n')
    program.chmod(0o755)
    notes.write_text("")
    done = subprocess.run(
        ["sh", START, directory, "sh", "-c", _SERVER],
        env={
            "PATH": f"{directory}:{os.environ['PATH']}",
            "GF_PATHS_DATA": str(directory),
            "BIND_ADDRESS": bind_address,
            "TLS": tls,
            "TLS_DIR": "/tls",
        },
        capture_output=True,
        text=True,
        check=True,
    )
    return [done.stdout.strip(), *notes.read_text().splitlines()]


def test_the_first_start_needs_no_reset(tmp_path: Path) -> None:
    assert start(tmp_path, "first") == ["serves true"]


def test_another_password_is_set_once(tmp_path: Path) -> None:
    start(tmp_path, "first")
    (tmp_path / "grafana.db").touch()
    assert start(tmp_path, "first") == ["serves true"]
    serves, reset = start(tmp_path, "second")
    assert serves == "serves true"
    assert reset.endswith("admin reset-admin-password --password-from-stdin second")
    assert start(tmp_path, "second") == ["serves true"]


def test_a_grafana_of_before_does_not_keep_its_password(tmp_path: Path) -> None:
    (tmp_path / "grafana.db").touch()
    assert len(start(tmp_path, "random")) == 2


@pytest.mark.parametrize("address", ["0.0.0.0", "192.0.2.1", ""])  # noqa: S104
def test_from_the_network_nobody_is_let_in_without_a_password(tmp_path: Path, address: str) -> None:
    assert start(tmp_path, "random", address) == ["serves"]


def test_with_tls_it_speaks_https(tmp_path: Path) -> None:
    (served,) = start(tmp_path, "random", "192.0.2.1", tls="iot.local")
    assert served == "serves https /tls/server.crt /tls/server.key"
