"""`make run TLS=...`: the certificates are there before anything starts."""

import os
import subprocess
import sys
from pathlib import Path

from run.configuration import ROOT
from run.workspace import PORTS
from tests.run.terminal import Terminal
from tests.service import free_port


def test_they_are_made_in_the_directory(tmp_path: Path) -> None:
    settings = {"TLS": "iot.local,192.168.1.5", "MQTTS_PORT": free_port()}
    with Terminal(tmp_path, settings) as terminal:
        terminal.wait("Ready in")
    shown = subprocess.run(
        [sys.executable, ROOT / "pipeline", "certificates"],
        env={"RUN_DIR": str(tmp_path), "PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "TLS        iot.local, 192.168.1.5\n" in shown.stdout, shown
    assert (tmp_path / "tls" / "ca.key").stat().st_mode & 0o777 == 0o600


def test_damaged_ones_end_the_start(tmp_path: Path) -> None:
    tls = tmp_path / "tls"
    tls.mkdir()
    (tls / "server.crt").write_bytes(b"")
    ports = {name: str(free_port()) for name in (*PORTS, "MQTTS_PORT")}
    ended = subprocess.run(
        [sys.executable, "-m", "run.pipeline"],
        cwd=ROOT,
        env={**os.environ, **ports, "RUN_DIR": str(tmp_path), "TLS": "iot.local"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 1
    assert ended.stdout.startswith(f"make run: {tls / 'server.crt'} is damaged: ")
